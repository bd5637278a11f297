import { isatty } from 'node:tty';
import { createColors } from 'picocolors';

/**
 * Colours for a terminal only. The library alone would also colour wherever the variable CI is set: in a log that a pipeline keeps, and in what a
 * program reads. `FORCE_COLOR` asks for them anywhere, `NO_COLOR` (no-color.org) nowhere.
 */
function wantsColors(): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return false;
  if (FORCE_COLOR) return FORCE_COLOR !== '0';
  return isatty(1) && TERM !== 'dumb';
}

export const colors = createColors(wantsColors());
