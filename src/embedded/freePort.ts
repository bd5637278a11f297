import { createServer, type AddressInfo } from 'node:net';

/** A port of 127.0.0.1 that is free now. Another process may take it before it is used: callers try again. */
export async function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
