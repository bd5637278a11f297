import { workerCommand } from '../../../src/cli/worker.js';

// The worker as a process of its own, from source.
await workerCommand().parseAsync();
