import { expect, test } from 'vitest';
import { chooseSearchVersion, findJdks, parseModules, type Jdk } from '../../../src/embedded/jdk.js';

const jdk = (version: number): Jdk => ({ java: `/jdk-${version}/bin/java`, version, hasVector: true });

test('the newest JDK wins: 21 or newer runs OpenSearch 3.8.0, 17 runs 2.19.6, older ones none', () => {
  expect(chooseSearchVersion([jdk(17), jdk(25), jdk(21)], undefined)).toEqual({
    jdk: jdk(25),
    version: '3.8.0',
  });
  expect(chooseSearchVersion([jdk(21)], undefined)?.version).toBe('3.8.0');
  expect(chooseSearchVersion([jdk(17)], undefined)?.version).toBe('2.19.6');
  expect(chooseSearchVersion([jdk(20)], undefined)?.version).toBe('2.19.6');
  expect(chooseSearchVersion([jdk(11)], undefined)).toBeNull();
  expect(chooseSearchVersion([], undefined)).toBeNull();
});

test('a forced version is used, or refused when no JDK runs it', () => {
  expect(chooseSearchVersion([jdk(25)], '2.19.6')?.version).toBe('2.19.6');
  expect(chooseSearchVersion([jdk(17)], '3.8.0')).toBeNull();
});

test('a Java runtime without compiler is no JDK', () => {
  expect(parseModules('java', 'java.base@25.0.3\njava.xml@25.0.3\n')).toBeNull();
  expect(parseModules('java', 'java.base@17.0.15\njdk.compiler@17.0.15\n')).toEqual({
    java: 'java',
    version: 17,
    hasVector: false,
  });
  expect(parseModules('java', 'something else')).toBeNull();
});

test('FRESHET_JAVA_HOME is the only place looked at when it is set', async () => {
  expect(await findJdks({ ...process.env, FRESHET_JAVA_HOME: '/nowhere' })).toEqual([]);
});
