/** A record that is awkward in one way: what differs from an ordinary one. */
export interface AwkwardCase<R> {
  readonly name: string;
  readonly change: Partial<R> | ((ordinary: R) => Partial<R>);
}

/** Takes one of each group in turn, so that the first few cases are of all kinds. */
export function interleave<T>(groups: readonly (readonly T[])[]): T[] {
  const longest = Math.max(...groups.map((group) => group.length));
  return Array.from({ length: longest }, (_, at) =>
    groups.flatMap((group) => group.slice(at, at + 1)),
  ).flat();
}

/** The record with the change of its case. */
export function applyCase<R>(ordinary: R, awkward: AwkwardCase<R> | undefined): R {
  if (awkward === undefined) return ordinary;
  const { change } = awkward;
  return { ...ordinary, ...(typeof change === 'function' ? change(ordinary) : change) };
}
