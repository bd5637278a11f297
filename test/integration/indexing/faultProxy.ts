import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One bulk request as it came: the ids of its documents. */
export interface SeenBulk {
  readonly ids: readonly string[];
  readonly bytes: number;
}

/**
 * What to do with a bulk request: pass it on; answer it with a status instead; pass it on and lose the answer; or pass on all but the documents
 * with these ids and answer for those with a status.
 */
export type Fault =
  'pass' | { status: number } | 'loseAnswer' | { refuseIds: readonly string[]; status: number };

/** Stands before a real search engine and does to bulk requests what `decide` says. Everything else passes. */
export interface FaultProxy {
  readonly url: string;
  readonly seen: readonly SeenBulk[];
  /** The most bulk requests that were under way at once. */
  inFlightMost(): number;
  close(): Promise<void>;
}

export async function startFaultProxy(
  engineUrl: string,
  decide: (bulk: SeenBulk, number: number) => Fault,
): Promise<FaultProxy> {
  const seen: SeenBulk[] = [];
  let inFlight = 0;
  let most = 0;
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await readBody(incoming);
    if (!incoming.url?.includes('_bulk')) return relay(await forward(engineUrl, incoming, body), outgoing);
    const bulk = { ids: idsOf(body), bytes: body.length };
    seen.push(bulk);
    inFlight += 1;
    most = Math.max(most, inFlight);
    try {
      await applyFault(decide(bulk, seen.length), engineUrl, incoming, body, outgoing);
    } finally {
      inFlight -= 1;
    }
  };
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    inFlightMost: () => most,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface EngineAnswer {
  readonly status: number;
  readonly body: string;
}

async function applyFault(
  fault: Fault,
  engineUrl: string,
  incoming: IncomingMessage,
  body: Buffer,
  outgoing: ServerResponse,
): Promise<void> {
  if (fault === 'pass') return relay(await forward(engineUrl, incoming, body), outgoing);
  if (fault === 'loseAnswer') {
    await forward(engineUrl, incoming, body);
    outgoing.destroy();
    return;
  }
  if ('refuseIds' in fault) {
    return relay(await forwardPart(fault, engineUrl, incoming, body), outgoing);
  }
  relay({ status: fault.status, body: '{"error":"refused on the way"}' }, outgoing);
}

/** The documents with other ids go to the engine; the answer has an item for each document, in order. */
async function forwardPart(
  { refuseIds, status }: { refuseIds: readonly string[]; status: number },
  engineUrl: string,
  incoming: IncomingMessage,
  body: Buffer,
): Promise<EngineAnswer> {
  const ids = idsOf(body);
  const lines = body.toString().trimEnd().split('\n');
  const kept = ids.flatMap((id, i) => (refuseIds.includes(id) ? [] : [lines[2 * i], lines[2 * i + 1]]));
  const answer =
    kept.length === 0
      ? { items: [] }
      : (JSON.parse((await forward(engineUrl, incoming, Buffer.from(`${kept.join('\n')}\n`))).body) as {
          items: unknown[];
        });
  const items = [...answer.items];
  const refused = { index: { status, error: { type: 'refused_on_the_way', reason: 'no room' } } };
  const merged = ids.map((id) => (refuseIds.includes(id) ? refused : items.shift()));
  const errors = merged.some((item) => JSON.stringify(item).includes('"error"'));
  return { status: 200, body: JSON.stringify({ errors, items: merged }) };
}

function idsOf(body: Buffer): string[] {
  const lines = body.toString().trimEnd().split('\n');
  return lines
    .filter((_, i) => i % 2 === 0)
    .map((line) => (JSON.parse(line) as { index: { _id: string } }).index._id);
}

function forward(engineUrl: string, incoming: IncomingMessage, body: Buffer): Promise<EngineAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { ...incoming.headers, 'content-length': String(body.length) };
    const { hostname, port } = new URL(engineUrl);
    const outgoing = request(
      { hostname, port, path: incoming.url, method: incoming.method, headers, agent: false },
      (answer) => {
        readBody(answer).then(
          (text) => resolve({ status: answer.statusCode ?? 0, body: text.toString() }),
          reject,
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function relay({ status, body }: EngineAnswer, outgoing: ServerResponse): void {
  outgoing.writeHead(status, { 'content-type': 'application/json' });
  outgoing.end(body);
}

async function readBody(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
