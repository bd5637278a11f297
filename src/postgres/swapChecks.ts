import { isDeepStrictEqual } from 'node:util';
import { FreshetError } from '../errors.js';
import { quoteQualified, type QualifiedName } from './identifiers.js';
import type { Session } from './session.js';
import { readPolicies } from './shape/policies.js';
import { readPublications } from './shape/publications.js';
import { readTriggers } from './shape/triggers.js';
import type { PreparedSwap } from './swapPlan.js';
import type { SwappedSequence } from './swapRecord.js';
import type { TableShape } from './tableShape.js';

/** What the swap reads while it has its locks: few and small queries, because readers wait. */

/** Those behind defaults and those of identity columns. */
function listSequences({
  sequences,
  columns,
}: TableShape): { readonly name: QualifiedName; readonly ownedBy: string | null }[] {
  const identities = columns.flatMap(({ name, identity }) =>
    identity === null ? [] : [{ name: identity.name, ownedBy: name }],
  );
  return [...sequences, ...identities];
}

/** Where the sequences of the live tables stand. */
export async function readSequenceValues(
  session: Session,
  prepared: PreparedSwap,
): Promise<SwappedSequence[]> {
  const values: SwappedSequence[] = [];
  for (const { shape } of prepared.tables) {
    for (const { name, ownedBy } of listSequences(shape)) {
      const { rows } = await session.query<{ value: string }>(
        `select last_value::text as value from ${quoteQualified(name)}`,
      );
      values.push({ sequence: name, ownedBy, table: shape.name, lastValue: rows[0]?.value ?? '' });
    }
  }
  return values;
}

/** Triggers, policies and publications are made by text, which is known by now to mean the same: read back from the promoted table. */
async function assertWatchersSame(session: Session, { tables }: PreparedSwap): Promise<void> {
  for (const { shape, tempOid, plan } of tables) {
    const { triggers, policies, publications } = shape;
    if (triggers.length + policies.length + publications.length === 0) continue;
    const after = {
      triggers: await readTriggers(session, tempOid),
      policies: await readPolicies(session, tempOid),
      publications: await readPublications(session, tempOid),
    };
    if (isDeepStrictEqual(after, { triggers, policies, publications })) continue;
    throw new FreshetError(
      'SHAPE_DIFFERS',
      `Triggers, policies or publications of ${plan.live.schema}.${plan.live.name} could not be made again as they were.`,
    );
  }
}

/** A view is defined by text here, so the result is compared: it must say of the promoted table what it said of the live one. */
async function assertViewsSame(session: Session, { views }: PreparedSwap): Promise<void> {
  if (views.length === 0) return;
  const { rows } = await session.query<{ oid: number; definition: string }>(
    'select oid, pg_get_viewdef(oid) as definition from pg_class where oid = any($1::oid[])',
    [views.map(({ oid }) => oid)],
  );
  const after = new Map(rows.map(({ oid, definition }) => [oid, definition]));
  const changed = views.filter(({ oid, definition }) => after.get(oid) !== definition);
  if (changed.length === 0) return;
  const names = changed.map(({ name }) => `${name.schema}.${name.name}`);
  throw new FreshetError('SHAPE_DIFFERS', `Views could not be made again as they were: ${names.join(', ')}.`);
}

/** What the swap made by text must say of the promoted tables what it said of the live ones. Throws SHAPE_DIFFERS. */
export async function assertMadeSame(session: Session, prepared: PreparedSwap): Promise<void> {
  await assertViewsSame(session, prepared);
  await assertWatchersSame(session, prepared);
}
