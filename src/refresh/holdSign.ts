import { heartbeatEveryMs } from '../limits.js';
import { markSeen } from '../postgres/holders.js';
import { withSession } from '../postgres/session.js';
import { runSessionName } from '../postgres/sessionNames.js';

/**
 * Says in the API database, as long as this process has the run, that the run which holds it is being executed. Between two steps a run has no
 * session there by which that could be told, and only `freshet release` asks. A server that does not answer is the steps' matter.
 * @returns what ends it.
 */
export function signHold(apiUrl: string, runId: string, token: string): () => void {
  let isAsking = false;
  const options = {
    applicationName: runSessionName('freshet hold', runId),
    called: 'API database',
    limitMs: heartbeatEveryMs,
  };
  const sign = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    await withSession(apiUrl, options, (session) => markSeen(session, runId, token)).catch(() => undefined);
    isAsking = false;
  };
  const timer = setInterval(() => void sign(), heartbeatEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}
