import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inject } from 'vitest';

/** What a fault answers instead of the engine; null = the request goes through. */
export type Fault = (request: IncomingMessage) => { status: number; body: object } | null;

export interface FaultyEngine {
  readonly url: string;
  close(): Promise<void>;
}

/** A proxy before the real engine that answers some requests itself, as a cluster in trouble would. */
export async function openFaultyEngine(fault: Fault): Promise<FaultyEngine> {
  const target = inject('parts').searchUrl;
  const server = createServer((request, answer) => {
    const reply = (status: number, body: string): void => {
      answer.writeHead(status, { 'content-type': 'application/json' }).end(body);
    };
    const forward = async (): Promise<void> => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const made = fault(request);
      if (made !== null) return reply(made.status, JSON.stringify(made.body));
      const got = await fetch(new URL(request.url ?? '/', target), {
        method: request.method ?? 'GET',
        headers: { 'content-type': request.headers['content-type'] ?? 'application/json' },
        ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
      });
      reply(got.status, await got.text());
    };
    forward().catch(() => answer.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
