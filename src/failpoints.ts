/**
 * Named points in production code at which a test may kill the process (kill -9, no clean-up).
 * No-ops unless `FRESHET_FAILPOINT=<name>` names one; `<name>@<n>` kills at the n-th passage. `docs/failpoints.md` lists them.
 */
const [armedName, armedPassage = '1'] = (process.env['FRESHET_FAILPOINT'] ?? '').split('@');
let passages = 0;

/** Passes the point `name`; kills this process with SIGKILL when a test armed it. */
export function failpoint(name: string): void {
  if (armedName !== name) return;
  passages += 1;
  if (passages === Number(armedPassage)) process.kill(process.pid, 'SIGKILL');
}
