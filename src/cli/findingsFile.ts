import { open, type FileHandle } from 'node:fs/promises';
import { FreshetError, messageOf } from '../errors.js';
import { isFault, type Finding } from '../refresh/compareLive/findings.js';

/** Written at once: not a call for every line. */
const bufferCharacters = 64 * 1024;

/** All findings in a file, one line each: CSV where the name ends so, else one JSON object a line. */
export class FindingsFile {
  #buffer = '';
  /** Bytes of the file; after it was emptied, the handle's own place would leave a hole. */
  #written = 0;

  private constructor(
    private readonly handle: FileHandle,
    private readonly isCsv: boolean,
  ) {
    this.#begin();
  }

  /** Creates or empties the file. Throws USAGE where that cannot be. */
  static async create(path: string): Promise<FindingsFile> {
    try {
      return new FindingsFile(await open(path, 'w'), path.toLowerCase().endsWith('.csv'));
    } catch (error) {
      throw new FreshetError('USAGE', `${path} cannot be written: ${messageOf(error)}.`);
    }
  }

  /** `null`: what was written before does not count. */
  async add(finding: Finding | null): Promise<void> {
    if (finding === null) {
      await this.handle.truncate(0);
      this.#written = 0;
      this.#begin();
      return;
    }
    this.#buffer += this.isCsv ? csvLine(finding) : jsonLine(finding);
    if (this.#buffer.length >= bufferCharacters) await this.#flush();
  }

  async close(): Promise<void> {
    try {
      await this.#flush();
    } finally {
      await this.handle.close();
    }
  }

  #begin(): void {
    this.#buffer = this.isCsv ? 'fault,kind,place,key,id,columns\n' : '';
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#buffer);
    this.#buffer = '';
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.handle.write(bytes, at, bytes.length - at, this.#written);
      at += bytesWritten;
      this.#written += bytesWritten;
    }
  }
}

function jsonLine(finding: Finding): string {
  return `${JSON.stringify({ fault: isFault(finding.kind), ...finding })}\n`;
}

function csvLine({ kind, place, key, id, columns }: Finding): string {
  const fields = [String(isFault(kind)), kind, place, key, id ?? '', columns.join(' ')];
  return `${fields.map(quoteCsv).join(',')}\n`;
}

/** RFC 4180. */
function quoteCsv(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
