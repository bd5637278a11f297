/**
 * Keeps one server for a process that may die at any time, and stops the server cleanly when it does.
 *
 * The parent starts this file detached (own session, so Ctrl-C in the terminal does not reach the server) with an IPC channel and sends
 * `{ type: 'start', spec }`. The channel's end means that the parent is gone, however it died: the server is then stopped, and what the spec
 * names in `removeWhenOrphaned` is deleted. `{ type: 'stop' }` stops the server in the same way. Plain JavaScript, because it is started by
 * path: from the sources in tests, from the compiled package otherwise.
 *
 * Answers: `{ type: 'started', pid }`, `{ type: 'failed', message }`, `{ type: 'exited', code, signal }`.
 */
import { spawn } from 'node:child_process';
import { rmdirSync, rmSync } from 'node:fs';

let spec = null;
let child = null;
let stopping = false;

process.on('message', (message) => {
  if (message.type === 'start') start(message.spec);
  else stop();
});
process.on('disconnect', () => (child === null ? process.exit() : stop()));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);

function start(given) {
  spec = given;
  const { command, args, cwd, env, uid, gid, holdsStdin } = spec;
  const stdio = [holdsStdin ? 'pipe' : 'ignore', 'inherit', 'inherit'];
  child = spawn(command, args, { cwd, env, stdio, ...(uid === null ? {} : { uid, gid }) });
  child.once('error', (error) => finish({ type: 'failed', message: error.message }));
  child.once('spawn', () => send({ type: 'started', pid: child.pid }));
  child.once('exit', (code, signal) => finish({ type: 'exited', code, signal }));
}

/** Sends the signals of the spec one after the other, each with its time, until the server is gone. */
function stop() {
  if (stopping || child === null) return;
  stopping = true;
  let waitMs = 0;
  for (const { signal, limitMs } of spec.stopSignals) {
    setTimeout(() => child.kill(signal), waitMs);
    waitMs += limitMs;
  }
}

function send(message, then = () => undefined) {
  if (!process.connected) return then();
  process.send(message, () => then());
}

function finish(message) {
  if (!process.connected) removeLeftovers();
  send(message, () => process.exit());
}

function removeLeftovers() {
  for (const path of spec.removeWhenOrphaned) rmSync(path, { recursive: true, force: true });
  if (spec.removeEmptyWhenOrphaned === null) return;
  try {
    rmdirSync(spec.removeEmptyWhenOrphaned);
  } catch (error) {
    // The keeper that ends last removes it.
    if (error.code !== 'ENOTEMPTY' && error.code !== 'ENOENT') throw error;
  }
}
