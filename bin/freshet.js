#!/usr/bin/env node
import v8 from 'node:v8';

// Millions of rows pass through while a dozen megabytes stay: without this the collector lets the heap grow with the work it has seen (memory
// of a worker after a million rows 240 MB instead of 170 MB, measured).
v8.setFlagsFromString('--heap-growing-percent=40');

await import('../dist/cli/main.js');
