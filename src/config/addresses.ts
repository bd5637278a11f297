import pg from 'pg';

/** Which database a URL names, as the driver would connect (its defaults included). Throws on a URL that it cannot read. */
export function databaseAddress(url: string): string {
  const { host, port, database } = new pg.Client({ connectionString: url });
  return `${hostOf(host)}:${port}/${database ?? ''}`;
}

/** Which node a URL names: host and port. */
export function nodeAddress(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  const defaultPort = protocol === 'https:' ? '443' : '80';
  return `${hostOf(hostname)}:${port === '' ? defaultPort : port}`;
}

function hostOf(host: string): string {
  const name = host.toLowerCase();
  return ['localhost', '::1', '[::1]'].includes(name) ? '127.0.0.1' : name;
}
