import type { Client } from '@opensearch-project/opensearch';

/** What holds for every request of one client. */
export interface ClientRules {
  /** Awaited before every request that may change something: a process that is not the orchestrator any more must not send it. */
  readonly beforeWrite?: () => Promise<void>;
  /** Ends every request and every wait between two. */
  readonly signal?: AbortSignal;
}

const rules = new WeakMap<Client, ClientRules>();

export function setRules(client: Client, clientRules: ClientRules): void {
  rules.set(client, clientRules);
}

export function rulesOf(client: Client): ClientRules {
  return rules.get(client) ?? {};
}
