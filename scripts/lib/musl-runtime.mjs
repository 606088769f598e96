// What a program that was linked with musl needs in a system of glibc: names of its loader, and a libstdc++.
//
// No package has that library for musl, so it is linked anew from the static one of the compiler here, as
// far as the program uses it.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root, run } from './run.mjs';

const MUSL = '/lib/x86_64-linux-musl/libc.so';
// What libstdc++ takes from glibc and musl lacks. -1 sends the unwinder the slow way.
const STUBS = `
  char __libc_single_threaded = 0;
  int _dl_find_object(void *address, void *result) { (void)address; (void)result; return -1; }
  unsigned int arc4random(void) { return 4; }
`;

const CLASS_TYPES = ['117__class_type_infoE', '120__si_class_type_infoE', '121__vmi_class_type_infoE'].map(
  (name) => `_ZTVN10__cxxabiv${name}`,
);

/**
 * @param {string} program
 * @returns {Promise<string | null>} what LD_LIBRARY_PATH has to be; null when it cannot be made
 */
export async function muslRuntimeFor(program) {
  const directory = path.join(root, 'build', 'musl-runtime');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  symlinkSync(MUSL, path.join(directory, 'libc.musl-x86_64.so.1'));
  const undefinedSymbols = await run('llvm-nm', ['--dynamic', '--undefined-only', program], {
    isQuiet: true,
  });
  const wanted = undefinedSymbols.stdout
    .split('\n')
    .map((line) => /(\S+?)(?:@\S+)?$/.exec(line)?.[1] ?? '')
    .filter((symbol) => /^_Z|^__cxa_(?!finalize|thread)|^__once_proxy$|^__dynamic_cast$/.test(symbol));
  // Those that the program copies do not show as undefined.
  wanted.push(...CLASS_TYPES);
  const stubs = path.join(directory, 'stubs.c');
  writeFileSync(stubs, STUBS);
  const parts = ['crtbeginS.o', 'libstdc++.a', 'libgcc_eh.a', 'libgcc.a', 'crtendS.o'];
  const files = await Promise.all(
    parts.map((file) => run('g++', [`-print-file-name=${file}`], { isQuiet: true })),
  );
  const linked = await run(
    'gcc',
    [
      ...['-shared', '-nostdlib', '-nostartfiles', '-fPIC', '-O2', '-Wl,-soname,libstdc++.so.6'],
      ...wanted.map((symbol) => `-Wl,-u,${symbol}`),
      ...['-Wl,--gc-sections', stubs, ...files.map((file) => file.stdout.trim()), MUSL],
      ...['-o', path.join(directory, 'libstdc++.so.6')],
    ],
    { isQuiet: true },
  );
  return linked.code === 0 ? directory : null;
}
