import { databaseAddress, nodeAddress } from './addresses.js';
import type { Variables } from './complete.js';
import type { EnvironmentAddresses } from './crossChecks.js';
import { resolveSecret } from './secrets.js';
import type { Config, EnvironmentConfig, SecretReference } from './types.js';
import type { Problem } from './problems.js';

/** The addresses behind every reference that is set, and a problem for each that is set to something unreadable. */
export async function readAddresses(
  config: Config,
  env: Variables,
): Promise<{ addresses: EnvironmentAddresses[]; problems: Problem[] }> {
  const problems: Problem[] = [];
  const read = async (
    reference: SecretReference | null,
    path: string,
    addressOf: (url: string) => string,
  ): Promise<string | null> => {
    // An unset reference is an error only when its environment is used.
    const url = reference === null ? null : await resolveSecret(reference, env, path).catch(() => null);
    if (url === null) return null;
    try {
      return addressOf(url);
    } catch {
      // The cause would repeat the URL, and with it the password.
      problems.push({ path, reason: 'the value that it refers to cannot be read as a URL.' });
      return null;
    }
  };
  const addresses = await Promise.all(
    Object.values(config.environments).map((environment) => addressesOf(environment, read)),
  );
  return { addresses, problems };
}

async function addressesOf(
  { name, catalogUrl, apiUrl, search }: EnvironmentConfig,
  read: (
    reference: SecretReference | null,
    path: string,
    addressOf: (url: string) => string,
  ) => Promise<string | null>,
): Promise<EnvironmentAddresses> {
  const at = `environments.${name}`;
  const nodes = await Promise.all(
    (search.urls ?? []).map((url, index) => read(url, `${at}.search.urls.${index}`, nodeAddress)),
  );
  return {
    environment: name,
    catalog: await read(catalogUrl, `${at}.catalogUrl`, databaseAddress),
    api: await read(apiUrl, `${at}.apiUrl`, databaseAddress),
    nodes: nodes.filter((node) => node !== null),
  };
}
