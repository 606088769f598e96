// Builds the C++ unit tests and the instruction benchmark with cmake-js, and runs what it is asked to.
//
//   node scripts/native-build.mjs [plain|asan|tsan] [--run native_tests|native_engine_tests|native_bench [arguments]]
//
// The programs are left in build/native, build/native-asan and build/native-tsan.
// Exit code: that of the build, or of the program that was run. Where cmake or doctest is not installed
// it says so and reports one skipped test: a checkout can be used without them.
import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root, run, tool } from './lib/run.mjs';

const FLAVOURS = { plain: '', asan: 'address,undefined', tsan: 'thread' };

/** @param {string | undefined} name */
function flavourOf(name) {
  if (name === 'plain' || name === 'asan' || name === 'tsan') return name;
  throw new Error(`unknown flavour ${name}: expected one of ${Object.keys(FLAVOURS).join(', ')}`);
}

const args = process.argv.slice(2);
const runIndex = args.indexOf('--run');
const flavour = flavourOf(runIndex === 0 ? 'plain' : (args[0] ?? 'plain'));
const directory = path.join('build', flavour === 'plain' ? 'native' : `native-${flavour}`);

/** What the system lacks, as names of Debian packages. */
async function missingPackages() {
  const quiet = { isQuiet: true, isSilent: true };
  const probe = ['-E', '-x', 'c++', '-include', 'doctest/doctest.h', '/dev/null'];
  const [cmake, doctest] = await Promise.all([
    run('cmake', ['--version'], quiet),
    run(process.env['CXX'] ?? 'c++', probe, quiet),
  ]);
  return [...(cmake.code === 0 ? [] : ['cmake']), ...(doctest.code === 0 ? [] : ['doctest-dev'])];
}

async function build() {
  const options = ['--log-level', 'error', '--out', directory, `--CDEVLOOP_SANITIZE=${FLAVOURS[flavour]}`];
  const configured = await run(tool('cmake-js'), ['configure', ...options], { isQuiet: true });
  if (configured.code !== 0) return configured.code;
  const built = await run('cmake', ['--build', directory, '--parallel'], { isQuiet: true });
  return built.code;
}

async function runProgram() {
  const program = path.join(root, directory, args[runIndex + 1] ?? '');
  if (!existsSync(program)) {
    throw new Error(`${program} was not built: is its list in native/sources.json empty?`);
  }
  const result = await run(program, args.slice(runIndex + 2), {
    env: {
      ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1',
      UBSAN_OPTIONS: 'print_stacktrace=1',
      TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
    },
  });
  return result.code;
}

const missing = await missingPackages();
if (missing.length > 0) {
  console.log(`the native tests need ${missing.join(' and ')} (names of Debian packages)`);
  console.log('0 passed, 0 failed, 1 skipped');
} else {
  process.exitCode = await build();
  if (process.exitCode === 0 && runIndex !== -1) process.exitCode = await runProgram();
}
