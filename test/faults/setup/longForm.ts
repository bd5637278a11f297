/** Everything, at every point: `npm run test:faults`. Without it each kind of fault once. */
export const isLongForm = process.env['FRESHET_FAULTS'] === 'long';
