import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';

/** An answer that gets lost: the request reaches the server and is carried out, then the connection breaks. */
export interface LostAnswer {
  /** Found in what the client sends: the request whose answer is lost. */
  readonly of: RegExp;
  /** Found in what the connection began with; default: any connection. */
  readonly on?: RegExp;
  /** Found earlier on the same connection; default: nothing is needed. */
  readonly after?: RegExp;
}

/**
 * Stands before a server as a network does: passes bytes on, until it is told to break connections, to keep silent, or to lose an answer.
 * Connections can be chosen by what their client sends first (of Postgres that includes the application name).
 */
export interface TcpProxy {
  /** The server's URL with this proxy's address. */
  readonly url: string;
  /** Ends chosen connections and refuses new ones of the kind, until `restore`. Default: all. */
  cut(which?: RegExp): void;
  /** Passes nothing on of chosen connections, present and new, without ending them, until `restore`. Default: all. */
  silence(which?: RegExp): void;
  restore(): void;
  /** Connections that `cut` ended or refused so far. */
  refused(): number;
  /** Another server answers from now on; present connections end. */
  redirect(url: string): void;
  /** The next such answer is lost. @returns whether that has happened yet. */
  lose(answer: LostAnswer): () => boolean;
  /** How often clients sent something that begins with text like this; `on` = on connections whose first bytes are like that. */
  sent(what: RegExp, on?: RegExp): number;
  close(): Promise<void>;
}

/** The first bytes of a connection: the startup message of Postgres, the request line of HTTP. */
const beginningBytes = 2_000;
const rememberedBytes = 20_000;
const requestBytes = 300;

function isFound(wanted: RegExp | undefined, text: string): boolean {
  return wanted?.test(text) ?? true;
}

class Link {
  /** What the client sent first. */
  beginning = '';
  /** What it sent last: enough to recognise requests. */
  sent = '';
  private isSilent = false;

  constructor(
    readonly client: Socket,
    readonly server: Socket,
    private readonly onClientData: (link: Link, text: string) => void,
    private readonly onServerData: (link: Link, chunk: Buffer) => boolean,
  ) {
    client.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      this.beginning = (this.beginning + text).slice(0, beginningBytes);
      this.sent = (this.sent + text).slice(-rememberedBytes);
      this.onClientData(this, text);
      if (!this.client.destroyed) this.server.write(chunk);
    });
    server.on('data', (chunk) => {
      if (this.onServerData(this, chunk)) this.client.write(chunk);
    });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  }

  silence(): void {
    if (this.isSilent) return;
    this.isSilent = true;
    this.client.pause();
    this.server.pause();
  }

  speak(): void {
    if (!this.isSilent) return;
    this.isSilent = false;
    this.client.resume();
    this.server.resume();
  }

  end(): void {
    this.client.resetAndDestroy();
    this.server.destroy();
  }
}

interface Losing extends LostAnswer {
  link: Link | null;
}

const everything = /(?:)/;

export async function openTcpProxy(serverUrl: string): Promise<TcpProxy> {
  let target = new URL(serverUrl);
  const isPostgres = target.protocol.startsWith('postgres');
  const links = new Set<Link>();
  let cutKind: RegExp | null = null;
  let silentKind: RegExp | null = null;
  let losing: Losing[] = [];
  let refused = 0;
  const requests: { readonly text: string; readonly link: Link }[] = [];

  const isOf = (link: Link, kind: RegExp | null): boolean => kind !== null && kind.test(link.beginning);

  const refuse = (link: Link): void => {
    refused += 1;
    link.end();
  };
  const onClientData = (link: Link, text: string): void => {
    if (isOf(link, cutKind)) return refuse(link);
    requests.push({ text: text.slice(0, requestBytes), link });
    if (isOf(link, silentKind)) link.silence();
    const found = losing.find(
      ({ of, on, after, link: taken }) =>
        taken === null && of.test(text) && isFound(on, link.beginning) && isFound(after, link.sent),
    );
    if (found) found.link = link;
  };
  const onServerData = (link: Link, chunk: Buffer): boolean => {
    const lost = losing.find((one) => one.link === link);
    if (lost === undefined) return true;
    // Postgres has carried out what it was sent when it is ready for the next query; an HTTP server when it begins to answer.
    if (!isPostgres || isReady(chunk)) {
      losing = losing.filter((one) => one !== lost);
      link.end();
    }
    return false;
  };

  const server = createServer((client) => {
    const upstream = createConnection({ host: target.hostname, port: Number(target.port) });
    const link = new Link(client, upstream, onClientData, onServerData);
    links.add(link);
    client.on('close', () => links.delete(link));
    if (cutKind?.source === everything.source) refuse(link);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = new URL(serverUrl);
  own.port = String((server.address() as AddressInfo).port);
  return {
    url: own.href.replace(/\/$/, ''),
    cut: (which = everything) => {
      cutKind = which;
      for (const link of links) if (isOf(link, which)) refuse(link);
    },
    silence: (which = everything) => {
      silentKind = which;
      for (const link of links) if (isOf(link, which)) link.silence();
    },
    restore: () => {
      cutKind = null;
      silentKind = null;
      for (const link of links) link.speak();
    },
    refused: () => refused,
    redirect: (url) => {
      target = new URL(url);
      for (const link of links) link.end();
    },
    lose: (answer) => {
      const lost: Losing = { ...answer, link: null };
      losing.push(lost);
      return () => !losing.includes(lost);
    },
    sent: (what, on) =>
      requests.filter(({ text, link }) => what.test(text) && isFound(on, link.beginning)).length,
    close: async () => {
      for (const link of links) link.end();
      server.close();
      await once(server, 'close');
    },
  };
}

/** ReadyForQuery, the end of every answer of Postgres. */
function isReady(chunk: Buffer): boolean {
  return chunk.length >= 6 && chunk.subarray(-6, -1).equals(Buffer.from([0x5a, 0, 0, 0, 5]));
}
