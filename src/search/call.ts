import { errors, type ApiResponse, type Client as SearchClient } from '@opensearch-project/opensearch';
import pRetry from 'p-retry';
import { FreshetError } from '../errors.js';
import { searchRepeatPauseMs, searchRepeatsMax, searchRequestTimeoutMs } from '../limits.js';
import { rulesOf } from './clientRules.js';
import { isNoSpace } from './engineDifferences.js';

/** One request to the search cluster. */
export interface EngineRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Path segments, unescaped. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  /** An object is sent as JSON, a text as newline-delimited JSON. */
  readonly body?: object | string;
  /** What the request is for, for messages: "reading the alias image". */
  readonly what: string;
  /** Limit from the first byte sent to the last byte read. Default `searchRequestTimeoutMs`. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Statuses besides 2xx that are answers, not errors. */
  readonly accept?: readonly number[];
  /** The request has the same effect however often it is sent, so that it is repeated when the cluster does not answer. */
  readonly repeatable?: boolean;
  /** The body holds sensitive terms: the engine's reason, which may quote it, is left out of errors. */
  readonly isSecret?: boolean;
}

export interface EngineAnswer<Body> {
  readonly status: number;
  readonly body: Body;
}

/**
 * Sends one request. `Body` is what the engine documents for it; callers check what matters to them.
 * Throws SEARCH_UNREACHABLE, SEARCH_TIMEOUT, SEARCH_OVERLOADED, SEARCH_FORBIDDEN, SEARCH_NO_SPACE or SEARCH_REFUSED, or the signal's reason.
 * Nothing of the client's own error is kept: it holds the request with its headers and body.
 */
export async function callEngine<Body>(
  client: SearchClient,
  request: EngineRequest,
): Promise<EngineAnswer<Body>> {
  return callWithin(client, { ...request, signal: signalOf(client, request) });
}

function signalOf(client: SearchClient, { signal }: EngineRequest): AbortSignal | undefined {
  const rule = rulesOf(client).signal;
  if (rule === undefined || signal === undefined) return signal ?? rule;
  return AbortSignal.any([rule, signal]);
}

/** Endpoints whose POST only reads. */
const reading: readonly (string | undefined)[] = ['_search', '_count', '_mget', '_analyze', '_msearch'];

function mayChangeSomething({ method, path }: EngineRequest): boolean {
  return method !== 'GET' && method !== 'HEAD' && !reading.includes(path.at(-1));
}

async function callWithin<Body>(client: SearchClient, request: EngineRequest): Promise<EngineAnswer<Body>> {
  if (request.repeatable !== true) return sendOnce<Body>(client, request);
  return pRetry(() => sendOnce<Body>(client, request), {
    retries: searchRepeatsMax,
    minTimeout: searchRepeatPauseMs,
    randomize: true,
    signal: request.signal,
    shouldRetry: ({ error }) => isPassing(error),
  });
}

function isPassing(error: unknown): boolean {
  return (
    error instanceof FreshetError &&
    (error.code === 'SEARCH_UNREACHABLE' || error.code === 'SEARCH_OVERLOADED')
  );
}

async function sendOnce<Body>(client: SearchClient, request: EngineRequest): Promise<EngineAnswer<Body>> {
  request.signal?.throwIfAborted();
  if (mayChangeSomething(request)) await rulesOf(client).beforeWrite?.();
  const timeoutMs = request.timeoutMs ?? searchRequestTimeoutMs;
  const sent = client.transport.request(
    {
      method: request.method,
      path: `/${request.path.map(encodeURIComponent).join('/')}`,
      ...bodyOf(request.body),
      ...(request.query === undefined ? {} : { querystring: { ...request.query } }),
    },
    { requestTimeout: timeoutMs, ignore: [...(request.accept ?? [])] },
  );
  let isLate = false;
  // The client's own limit is for silence before the first byte only: a stalled answer would hang for ever.
  const timer = setTimeout(() => {
    isLate = true;
    sent.abort();
  }, timeoutMs);
  // Returns nothing: a listener that returns the request, a thenable, makes Node throw its rejection as an uncaught exception.
  const abort = (): void => {
    sent.abort();
  };
  request.signal?.addEventListener('abort', abort, { once: true });
  try {
    const answer = await sent;
    return { status: answer.statusCode ?? 0, body: answer.body as Body };
  } catch (error) {
    request.signal?.throwIfAborted();
    throw isLate || error instanceof errors.TimeoutError
      ? timeoutError(request, timeoutMs)
      : engineError(error, request);
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', abort);
  }
}

function bodyOf(body: object | string | undefined): { body?: object; bulkBody?: string } {
  if (body === undefined) return {};
  return typeof body === 'string' ? { bulkBody: body } : { body };
}

function timeoutError({ what }: EngineRequest, timeoutMs: number): FreshetError {
  return new FreshetError(
    'SEARCH_TIMEOUT',
    `The search cluster did not answer within ${timeoutMs} ms (${what}).`,
    {
      what,
      timeoutMs,
    },
  );
}

/** The error that an operator sees for anything that the client threw. */
function engineError(error: unknown, request: EngineRequest): unknown {
  if (error instanceof errors.ResponseError) return refusal(error.meta, request);
  if (error instanceof errors.OpenSearchClientError) {
    const { meta } = error as { meta?: ApiResponse };
    const host = meta?.meta.connection?.url.host;
    return new FreshetError(
      'SEARCH_UNREACHABLE',
      `The search cluster${host === undefined ? '' : ` at ${host}`} is not reachable (${request.what}): ${error.message || 'no connection'}.`,
      { what: request.what },
    );
  }
  return error;
}

interface ErrorBody {
  readonly error?:
    string | { readonly type?: string; readonly reason?: string; readonly root_cause?: Cause[] };
}
interface Cause {
  readonly type?: string;
  readonly reason?: string;
}

function refusal(answer: ApiResponse, request: EngineRequest): FreshetError {
  const status = answer.statusCode ?? 0;
  const { type, reason } = causeOf(answer.body as ErrorBody | string | null);
  const shown = request.isSecret === true ? type : [type, reason].filter((text) => text !== '').join(': ');
  const details = { what: request.what, status, type };
  const tail = `(${request.what}): HTTP ${status}${shown === '' ? '' : ` ${shown}`}.`;
  if (isNoSpace(status, type, reason)) {
    return new FreshetError(
      'SEARCH_NO_SPACE',
      `The search cluster refuses to write, its disks are nearly full ${tail}`,
      details,
    );
  }
  if (status === 401 || status === 403) {
    return new FreshetError('SEARCH_FORBIDDEN', `The search cluster does not allow it ${tail}`, details);
  }
  if (status === 429)
    return new FreshetError('SEARCH_OVERLOADED', `The search cluster is overloaded ${tail}`, details);
  if (status === 502 || status === 503 || status === 504) {
    return new FreshetError('SEARCH_UNREACHABLE', `The search cluster is not ready ${tail}`, details);
  }
  return new FreshetError('SEARCH_REFUSED', `The search cluster refused the request ${tail}`, details);
}

function causeOf(body: ErrorBody | string | null): { type: string; reason: string } {
  const error = typeof body === 'object' && body !== null ? body.error : undefined;
  if (typeof error === 'string') return { type: '', reason: error };
  const cause = error?.root_cause?.[0] ?? error;
  return { type: cause?.type ?? error?.type ?? '', reason: cause?.reason ?? '' };
}

/** The engine's error type of a refusal, such as `resource_already_exists_exception`; null for anything else. */
export function refusedFor(error: unknown): string | null {
  if (!(error instanceof FreshetError) || error.code !== 'SEARCH_REFUSED') return null;
  const { type } = error.details;
  return typeof type === 'string' ? type : null;
}
