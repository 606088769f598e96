// The signature of a Mach-O file, without which macOS on arm64 kills whoever loads it.
//
// Layout: xnu, osfmk/kern/cs_blobs.h; loader.h of Mach-O.
import { createHash } from 'node:crypto';

const LOAD_COMMANDS_OFFSET = 32;
const LC_CODE_SIGNATURE = 0x1d;
const SUPER_BLOB = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
const SHA256 = 2;

/**
 * What is wrong with the signature of a thin 64-bit file, or null.
 *
 * @param {Buffer} file
 * @returns {string | null}
 */
export function checkSignature(file) {
  const start = findSignature(file);
  if (start === null) return 'it has none';
  const blob = file.subarray(start);
  if (blob.readUInt32BE(0) !== SUPER_BLOB) return 'it does not begin as one';
  for (let i = 0, count = blob.readUInt32BE(8); i < count; i++) {
    const directory = blob.subarray(blob.readUInt32BE(16 + 8 * i));
    if (directory.readUInt32BE(0) === CODE_DIRECTORY) return checkDirectory(file, directory, start);
  }
  return 'it has no code directory';
}

/** @param {Buffer} file */
function findSignature(file) {
  const count = file.readUInt32LE(16);
  for (let i = 0, at = LOAD_COMMANDS_OFFSET; i < count; i++, at += file.readUInt32LE(at + 4)) {
    if (file.readUInt32LE(at) === LC_CODE_SIGNATURE) return file.readUInt32LE(at + 8);
  }
  return null;
}

/**
 * Compares the hash of each page.
 *
 * @param {Buffer} file
 * @param {Buffer} directory
 * @param {number} end of what is signed
 */
function checkDirectory(file, directory, end) {
  const hashes = directory.readUInt32BE(16);
  const count = directory.readUInt32BE(28);
  const limit = directory.readUInt32BE(32);
  const size = directory.readUInt8(36);
  if (directory.readUInt8(37) !== SHA256) return 'its hashes are not SHA-256';
  if (limit !== end) return `it covers ${limit} bytes of ${end}`;
  const page = 2 ** directory.readUInt8(39);
  if (count !== Math.ceil(limit / page)) return `it has ${count} hashes for ${limit} bytes`;
  for (let i = 0; i < count; i++) {
    const bytes = file.subarray(i * page, Math.min((i + 1) * page, limit));
    const hash = createHash('sha256').update(bytes).digest();
    const expected = directory.subarray(hashes + i * size, hashes + (i + 1) * size);
    if (!hash.equals(expected)) return `page ${i} is not what was signed`;
  }
  return null;
}
