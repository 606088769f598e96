#!/usr/bin/env node
// `evloop run server.js`: runs a program with its sockets on the loop, as `node --import evloop/register` does.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import process from 'node:process';
import { Command } from 'commander';

const FORWARDED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];
// A terminal sends these to the program as well, which must not see them twice.
const OF_TERMINAL: readonly string[] = ['SIGINT', 'SIGHUP'];
/** What a shell answers for a process that a signal ended, less the signal's number. */
const EXIT_CODE_OF_SIGNAL_0 = 128;

interface RunCommandOptions {
  report?: boolean;
  faces?: string;
}

function runProgram(script: string, args: readonly string[], { report, faces }: RunCommandOptions): void {
  const preload = import.meta.resolve('evloop/register');
  const env = {
    ...process.env,
    ...(report === true ? { EVLOOP_REPORT: '1' } : {}),
    ...(faces === undefined ? {} : { EVLOOP_REGISTER: faces }),
  };
  const child = spawn(process.execPath, [...process.execArgv, '--import', preload, script, ...args], {
    env,
    stdio: process.send === undefined ? 'inherit' : ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      if (!process.stdin.isTTY || !OF_TERMINAL.includes(signal)) child.kill(signal);
    });
  }
  if (process.send !== undefined) {
    child.on('message', (message) => process.send?.(message));
    process.on('message', (message: object) => void child.send(message));
    child.on('disconnect', () => process.disconnect());
  }
  child.on('error', (error) => {
    console.error(`evloop: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? EXIT_CODE_OF_SIGNAL_0 + constants.signals[signal!];
    for (const name of FORWARDED) process.removeAllListeners(name);
  });
}

const program = new Command('evloop').description('Runs Node programs on the evloop event loop.');
program
  .enablePositionalOptions()
  .command('run')
  .description('run a program with its sockets on the loop')
  .argument('<script>', 'the program')
  .argument('[args...]', 'what it is given')
  .option('--report', 'write one line of figures when it ends')
  .option('--faces <list>', 'what is put on the loop: net, none')
  .passThroughOptions()
  .action(runProgram);
await program.parseAsync();
