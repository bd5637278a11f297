import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { urlWithName } from '../../../src/postgres/sessionNames.js';

const nameOf = (url: string): unknown =>
  (new pg.Client({ connectionString: url }) as unknown as { connectionParameters: Record<string, unknown> })
    .connectionParameters['application_name'];

describe('the name of a session', () => {
  it.each([
    'postgres://user:p%3Fw@host:5432/db',
    'postgres://user@host/db?application_name=theirs',
    'postgres://user@host/db?sslmode=disable&application_name=theirs&connect_timeout=3',
    'postgres://user@host/db?',
  ])('is ours, whatever name %s has', (url) => {
    const name = 'freshet run 5c9861a1-5324-45c1-bfc5-8aca2b7233db 0a1b2c3d';
    expect(nameOf(urlWithName(url, name))).toBe(name);
  });

  it('leaves the rest of the URL as it is', () => {
    const url =
      'postgres://user:p%3Fw@host:5432/db?sslmode=verify-full&application_name=theirs&connect_timeout=3';
    expect(urlWithName(url, 'a b')).toBe(
      'postgres://user:p%3Fw@host:5432/db?sslmode=verify-full&connect_timeout=3&application_name=a%20b',
    );
  });
});
