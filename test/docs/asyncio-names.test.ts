// docs/coming-from-asyncio.md has every public name of asyncio, and what it says is there, is there.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import * as evloop from '../../src/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

const recorded = JSON.parse(read('test/support/asyncio-names.json')) as Record<string, string[]>;
const sections = new Map(
  read('docs/coming-from-asyncio.md')
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.split('\n')[0]!, section] as const),
);

interface Row {
  names: string[];
  ours: string[];
  status: string;
}

const codes = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);

function rowsOf(section: string): Row[] {
  return section
    .split('\n')
    .map((line) => line.split('|').slice(1, -1))
    .filter((cells) => cells.length === 4)
    .map(([names, ours, status]) => ({ names: codes(names!), ours: codes(ours!), status: status!.trim() }))
    .filter(({ names }) => names.length > 0);
}

// What the page calls the objects whose members it names.
const OBJECTS: Readonly<Record<string, object>> = {
  loop: new evloop.EventLoop(),
  EventLoop: evloop.EventLoop,
  future: evloop.Future.prototype,
  task: evloop.Task.prototype,
  group: evloop.TaskGroup.prototype,
  limit: evloop.Timeout.prototype,
  runner: evloop.Runner.prototype,
  handle: evloop.Handle.prototype,
  timer: evloop.TimerHandle.prototype,
  lock: evloop.Lock.prototype,
  event: evloop.Event.prototype,
  condition: evloop.Condition.prototype,
  semaphore: evloop.Semaphore.prototype,
  barrier: evloop.Barrier.prototype,
  queue: evloop.Queue.prototype,
  stream: evloop.Stream.prototype,
  server: evloop.Server.prototype,
  transport: evloop.Transport.prototype,
};

// An interface: its methods are in the source alone.
const PROTOCOL = /export interface Protocol \{\n(.*?)\n\}/s.exec(read('src/io/protocol.ts'))![1]!;
const TYPES = read('src/index.ts');

function exists(code: string): boolean {
  const [object, member] = code.replace('()', '').split('.');
  if (member === undefined) return object! in evloop || new RegExp(`\\b${object!}\\b`).test(TYPES);
  if (object === 'protocol') return PROTOCOL.includes(`${member}?(`);
  expect(OBJECTS, code).toHaveProperty(object!);
  return member in OBJECTS[object!]!;
}

const everything = [...sections.values()].flatMap(rowsOf);

test.each(Object.keys(recorded))('every name of %s has a row', (owner) => {
  const isOf = ([title, section]: [string, string]): boolean =>
    new RegExp(`\\b${owner}\\b`).test(`${title}\n${section.split('\n|')[0]!}`) ||
    new RegExp(`^[\\w, ]*\\b${owner}\\b[\\w, ]*:$`, 'm').test(section);
  const names = [...sections]
    .filter(isOf)
    .flatMap(([, section]) => rowsOf(section).flatMap((row) => row.names));
  expect(recorded[owner]!.filter((name) => !names.includes(name))).toEqual([]);
});

describe('status', () => {
  test('is one of four', () => {
    expect([...new Set(everything.map(({ status }) => status))].sort()).toEqual([
      'differs',
      'n/a',
      'planned',
      'same',
    ]);
  });

  test('what is the same or differs is there', () => {
    const rows = everything.filter(({ status }) => status === 'same' || status === 'differs');
    expect(rows.filter(({ ours }) => ours.length === 0)).toEqual([]);
    expect(rows.flatMap(({ ours }) => ours).filter((code) => !exists(code))).toEqual([]);
  });

  test('what is planned is not', () => {
    const planned = everything.filter(({ status }) => status === 'planned').flatMap(({ ours }) => ours);
    expect(planned.filter(exists)).toEqual([]);
  });
});
