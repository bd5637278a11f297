import { weekdays, type PromotionWindow } from '../config/types.js';

/** When candidates may be promoted. Pure; all times are UTC, which knows no daylight saving. */

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const daysOfAWeek = 7;

interface Span {
  /** ms since 1970; `to` does not belong to it. */
  readonly from: number;
  readonly to: number;
}

/**
 * When the next of these windows is open: `now` where one is, or where there are none; else its first moment, at most a week away.
 */
export function nextOpening(windows: readonly PromotionWindow[], now: Date): Date {
  if (windows.length === 0) return now;
  const openings = windows.flatMap((window) =>
    spansAround(window, now.getTime())
      .filter(({ to }) => to > now.getTime())
      .map(({ from }) => Math.max(from, now.getTime())),
  );
  return new Date(Math.min(...openings));
}

/** A window's times from those that began yesterday, and may go on, to those of today in a week. */
function spansAround({ days, from, to }: PromotionWindow, now: number): Span[] {
  const midnight = Math.floor(now / dayMs) * dayMs;
  const [opens, closes] = [minutesOf(from) * minuteMs, minutesOf(to) * minuteMs];
  const length = closes > opens ? closes - opens : closes + dayMs - opens;
  return Array.from({ length: daysOfAWeek + 2 }, (_, place) => midnight + (place - 1) * dayMs)
    .filter((day) => days.includes(weekdayOf(day)))
    .map((day) => ({ from: day + opens, to: day + opens + length }));
}

function weekdayOf(day: number): (typeof weekdays)[number] {
  // JavaScript's week begins with Sunday.
  const place = (new Date(day).getUTCDay() + daysOfAWeek - 1) % daysOfAWeek;
  const name = weekdays[place];
  if (name === undefined) throw new Error(`no weekday ${place}`);
  return name;
}

function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
}
