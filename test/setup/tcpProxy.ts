import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/** Stands before a real server and does to its connections what networks do. */
export interface TcpProxy {
  /** The target's URL by way of the proxy. */
  readonly url: string;
  readonly isCut: boolean;
  /** A pulled cable: nothing is forwarded in either direction, nothing is closed, new connections lead nowhere. */
  cut(): void;
  /** Forwards what was held, and everything from then on. */
  mend(): void;
  /** What the target has sent since it was mended. */
  readonly answered: string;
  /** The server restarts: every connection breaks, new ones are refused. */
  refuse(): Promise<void>;
  /** The server is back. */
  accept(): Promise<void>;
  close(): Promise<void>;
}

/** @param cutAt cuts by itself before it forwards the first bytes of a client for which this is true. */
export async function startTcpProxy(
  targetUrl: string,
  cutAt: (sent: Buffer) => boolean = () => false,
): Promise<TcpProxy> {
  const proxy = new Proxy(new URL(targetUrl), cutAt);
  await proxy.accept();
  return proxy;
}

class Proxy implements TcpProxy {
  isCut = false;
  answered = '';
  private server: Server | null = null;
  private port = 0;
  private wasCut = false;
  private readonly sockets = new Set<Socket>();
  private held: { to: Socket; bytes: Buffer }[] = [];

  constructor(
    private readonly target: URL,
    private readonly cutAt: (sent: Buffer) => boolean,
  ) {}

  get url(): string {
    const url = new URL(this.target.href);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    return url.href;
  }

  cut(): void {
    this.isCut = true;
    this.wasCut = true;
    for (const socket of this.sockets) socket.pause();
  }

  mend(): void {
    this.isCut = false;
    for (const { to, bytes } of this.held) to.write(bytes);
    this.held = [];
    for (const socket of this.sockets) socket.resume();
  }

  async accept(): Promise<void> {
    const server = createServer((client) => this.join(client));
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  async refuse(): Promise<void> {
    const { server } = this;
    const closed = new Promise<void>((resolve) =>
      server === null ? resolve() : server.close(() => resolve()),
    );
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  close(): Promise<void> {
    this.isCut = false;
    return this.refuse();
  }

  private join(client: Socket): void {
    const upstream = connect(Number(this.target.port), this.target.hostname);
    this.pipe(client, upstream, (bytes) => {
      if (!this.wasCut && this.cutAt(bytes)) this.cut();
    });
    this.pipe(upstream, client, (bytes) => {
      if (this.wasCut && !this.isCut) this.answered += bytes.toString('latin1');
    });
    if (this.isCut) for (const socket of [client, upstream]) socket.pause();
  }

  private pipe(from: Socket, to: Socket, look: (bytes: Buffer) => void): void {
    this.sockets.add(from);
    from.on('data', (bytes) => {
      look(bytes);
      if (this.isCut) this.held.push({ to, bytes });
      else to.write(bytes);
    });
    from.on('error', () => undefined);
    from.on('close', () => {
      this.sockets.delete(from);
      // Nobody hears of an end through a cut cable.
      if (!this.isCut) to.destroy();
    });
  }
}
