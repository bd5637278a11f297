import { hookOutputBytesMax } from '../../limits.js';
import { fetchFailure, withoutCredentials } from '../../webRequest.js';
import type { HookAnswer } from './command.js';

export interface WebhookCall {
  /** A secret: shown nowhere. */
  readonly url: URL;
  readonly body: object;
  /** The same at every repeat of the same call, so that the receiver can tell. */
  readonly idempotencyKey: string;
  readonly timeoutMs: number;
  /** Ends it; then its reason is thrown. */
  readonly signal: AbortSignal;
}

/** Posts JSON; any answer but 2xx is a no. Redirects are not followed: the body would go to somebody else. */
export async function callWebhook(call: WebhookCall): Promise<HookAnswer> {
  call.signal.throwIfAborted();
  const limit = AbortSignal.timeout(call.timeoutMs);
  try {
    const { url, headers } = withoutCredentials(call.url);
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        ...headers,
        'content-type': 'application/json',
        'idempotency-key': call.idempotencyKey,
      },
      body: JSON.stringify(call.body),
      redirect: 'manual',
      signal: AbortSignal.any([call.signal, limit]),
    });
    const output = await readText(answer);
    return { isYes: answer.ok, how: `answered with HTTP ${answer.status}`, output };
  } catch (error) {
    call.signal.throwIfAborted();
    const how = limit.aborted
      ? `took longer than ${call.timeoutMs / 1000} s`
      : `could not be reached (${fetchFailure(error)})`;
    return { isYes: false, how, output: '' };
  }
}

/** The beginning of the answer; nobody sends more to be read. */
async function readText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk as Uint8Array);
    bytes += (chunk as Uint8Array).byteLength;
    if (bytes > hookOutputBytesMax) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}
