// What the preloads do: the environment says which faces of Node are put on the loop.
import process from 'node:process';

interface Installer {
  readonly installNet: () => void;
  readonly reportAtExit: () => void;
}

const FACES = ['net'] as const;

/** The faces that `EVLOOP_REGISTER` names: a list with commas, `none`, or all of them without it. */
function chosenFaces(): ReadonlySet<string> {
  const setting = process.env['EVLOOP_REGISTER'];
  if (setting === undefined || setting === '') return new Set(FACES);
  const names = setting.split(',').map((name) => name.trim());
  const known: readonly string[] = [...FACES, 'none'];
  for (const name of names) {
    if (known.includes(name)) continue;
    warn(`EVLOOP_REGISTER has ${JSON.stringify(name)}; expected ${known.join(', ')}`);
  }
  return new Set(names);
}

function warn(message: string): void {
  process.emitWarning(message, { code: 'EVLOOP_REGISTER' });
}

/**
 * Installs what the environment asks for. Where that cannot be, it warns, and Node's own behaviour stays.
 *
 * @param load - Loads what installs; it throws on a platform without the addon.
 * @internal
 */
export async function registerFaces(load: () => Promise<Installer>): Promise<void> {
  if (!chosenFaces().has('net')) return;
  try {
    begin(await load());
  } catch (error) {
    refuse(error);
  }
}

/** As {@link registerFaces}, at once. @internal */
export function registerFacesNow(load: () => Installer): void {
  if (!chosenFaces().has('net')) return;
  try {
    begin(load());
  } catch (error) {
    refuse(error);
  }
}

function begin({ installNet, reportAtExit }: Installer): void {
  installNet();
  if (process.env['EVLOOP_REPORT'] === '1') reportAtExit();
}

function refuse(error: unknown): void {
  warn(`Sockets stay with Node: ${error instanceof Error ? error.message : String(error)}`);
}
