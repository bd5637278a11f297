import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take a minute or more. Begun last, one of them would run alone at the end while the other worker idles. */
const long = [
  'refresh/hold',
  'integration/scenarios',
  'refresh/hooks',
  'refresh/cancel',
  'faults/restarts',
  'refresh/retry.',
  'refresh/stateLost',
  'badInput/servers',
  'badInput/noSpace',
  'refresh/writers',
  'refresh/standby',
  'refresh/schedules',
  'refresh/deployCheck',
  'verify/apart',
  'verify/differences',
  'refresh/kill',
  'faults/workers',
  'faults/lostAnswers',
  'postgres/randomShapes',
  'refresh/sweep',
  'refresh/drift',
  'badInput/tables',
  'badInput/interrupt',
  'search/filteredIndex',
];

/** The longest files first; otherwise vitest's own order, which in a fresh clone knows no durations. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const place = ({ moduleId }: TestSpecification): number => {
      const index = long.findIndex((part) => moduleId.includes(part));
      return index === -1 ? long.length : index;
    };
    return sorted.toSorted((one, other) => place(one) - place(other));
  }
}
