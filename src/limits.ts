/** Every limit of the product: the unit is in the name, the reason beside it. A limit that users may change is a default here and a key in the configuration. */

/** Postgres truncates longer names silently, which made two names collide in the predecessor (NAMEDATALEN - 1). */
export const identifierBytesMax = 63;

/** Reading one page of a catalog or of state must not hang a command: a server that answers slower than this is reported as unreachable. */
export const connectTimeoutMs = 10_000;

/** The state database serves a few short statements of one process; more connections would only take room from others. */
export const statePoolConnectionsMax = 6;
