// Finds Node's headers on this machine, so that builds need no network.
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

/**
 * The directory to pass as `--nodedir`, or null when only a download can bring the headers.
 *
 * npm hands its `nodedir` setting on as an environment variable; otherwise the headers that were
 * installed together with the running Node are taken.
 *
 * @returns {string | null}
 */
export function findNodeDirectory() {
  const configured = process.env['npm_config_nodedir'];
  if (configured) return configured;
  const prefix = path.dirname(path.dirname(process.execPath));
  return existsSync(path.join(prefix, 'include', 'node', 'node_api.h')) ? prefix : null;
}
