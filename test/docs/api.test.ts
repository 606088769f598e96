// Every public name says what it is, whatever takes time says so, and what refuses arguments does.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const WAITABLE = new Set(['Awaitable', 'Future', 'Operation', 'Promise', 'PromiseLike', 'Task']);

interface Documented {
  name: string;
  declaration: ts.Declaration;
  type: ts.Type;
}

const program = makeProgram();
const checker = program.getTypeChecker();
const publicNames = new Set(publicSymbols().map((symbol) => symbol.name));

function makeProgram(): ts.Program {
  const file = path.join(root, 'tsconfig.json');
  const { config } = ts.readConfigFile(file, (name) => ts.sys.readFile(name)) as { config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  return ts.createProgram([path.join(root, 'src/index.ts')], options);
}

function publicSymbols(): ts.Symbol[] {
  const index = program.getSourceFile(path.join(root, 'src/index.ts'))!;
  return checker
    .getExportsOfModule(checker.getSymbolAtLocation(index)!)
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol));
}

function commentOf(declaration: ts.Declaration): string {
  return ts
    .getJSDocCommentsAndTags(declaration)
    .filter(ts.isJSDoc)
    .map((comment) => comment.getText())
    .join('\n');
}

function isInternal(declaration: ts.Declaration): boolean {
  const name = ts.getNameOfDeclaration(declaration);
  const isHidden = name === undefined || ts.isPrivateIdentifier(name) || name.getText().startsWith('_');
  return isHidden || ts.isComputedPropertyName(name) || commentOf(declaration).includes('@internal');
}

// The members that a class or interface declares itself, or has from a class that is not public.
function members(symbol: ts.Symbol): ts.Declaration[] {
  return (symbol.declarations ?? []).flatMap((declaration) =>
    ts.isClassDeclaration(declaration) || ts.isInterfaceDeclaration(declaration)
      ? [...declaration.members, ...membersOfHiddenBase(declaration)].filter((member) => !isInternal(member))
      : [],
  );
}

function membersOfHiddenBase(declaration: ts.ClassDeclaration | ts.InterfaceDeclaration): ts.ClassElement[] {
  const bases = checker.getTypeAtLocation(declaration).getBaseTypes() ?? [];
  return (
    bases
      .flatMap((base) => base.getSymbol()?.declarations ?? [])
      .filter((base) => ts.isClassDeclaration(base))
      .filter((base) => !publicNames.has(base.name!.text))
      // What Node's own classes have is described there.
      .filter((base) => !base.getSourceFile().isDeclarationFile)
      .flatMap((base) => [...base.members])
  );
}

function isWaitable(type: ts.Type): boolean {
  const names = [type.aliasSymbol, type.getSymbol()].map((symbol) => symbol?.name);
  return names.some((name) => WAITABLE.has(name ?? ''));
}

function nameOf(symbol: ts.Symbol, declaration: ts.Declaration): string {
  if (symbol.declarations!.includes(declaration)) return symbol.name;
  return `${symbol.name}.${ts.getNameOfDeclaration(declaration)!.getText()}`;
}

// Functions, methods and getters, with what they give.
function callables(): Documented[] {
  return publicSymbols().flatMap((symbol) =>
    [...(symbol.declarations ?? []), ...members(symbol)].flatMap((declaration): Documented[] => {
      const name = nameOf(symbol, declaration);
      if (ts.isGetAccessor(declaration)) {
        return [{ name, declaration, type: checker.getTypeAtLocation(declaration) }];
      }
      if (!ts.isFunctionDeclaration(declaration) && !ts.isMethodDeclaration(declaration)) return [];
      const signature = checker.getSignatureFromDeclaration(declaration)!;
      return [{ name, declaration, type: checker.getReturnTypeOfSignature(signature) }];
    }),
  );
}

// One comment serves all overloads.
function commentsByName(all: readonly Documented[]): Map<string, string> {
  const comments = new Map<string, string>();
  for (const { name, declaration } of all) {
    comments.set(name, (comments.get(name) ?? '') + commentOf(declaration));
  }
  return comments;
}

test('the compiler understands the sources', () => {
  expect(publicSymbols().length).toBeGreaterThan(30);
  expect(callables().length).toBeGreaterThan(60);
});

test('every public name has a summary', () => {
  const bare = publicSymbols().filter(
    (symbol) => ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim() === '',
  );
  expect(bare.map((symbol) => symbol.name)).toEqual([]);
});

test('every public function and method has a summary', () => {
  // Members that an interface demands may be described there.
  const summaryOf = ({ declaration }: Documented): string => {
    const symbol = checker.getSymbolAtLocation(ts.getNameOfDeclaration(declaration)!)!;
    return ts.displayPartsToString(symbol.getDocumentationComment(checker));
  };
  const bare = callables().filter((callable) => summaryOf(callable).trim() === '');
  expect([...new Set(bare.map(({ name }) => name))]).toEqual([]);
});

test('whatever gives something to wait for says whether it suspends', () => {
  const all = callables();
  const comments = commentsByName(all);
  const silent = all
    .filter(({ name, type }) => isWaitable(type) && !comments.get(name)!.includes('Suspends:'))
    .map(({ name }) => name);
  expect([...new Set(silent)]).toEqual([]);
});

// What need not say that it refuses arguments: it takes any, as the table of bad input knows.
function exemptFromThrows(): Set<string> {
  const table = readFileSync(path.join(root, 'test/unit/bad-input.test.ts'), 'utf8');
  const body = /const takesEverything: .*?= \{\n(.*?)\n\};/s.exec(table)![1]!;
  const takesEverything = [...body.matchAll(/^ {2}'?([\w.]+)'?: '/gm)].map(([, name]) => name!);
  expect(takesEverything.length).toBeGreaterThan(20);
  return new Set(takesEverything);
}

test('whatever refuses arguments says what it throws', () => {
  const all = callables();
  const comments = commentsByName(all);
  const exempt = exemptFromThrows();
  const silent = all
    .filter(({ declaration }) => ts.isFunctionLike(declaration) && declaration.parameters.length > 0)
    .map(({ name }) => name)
    .filter((name) => !exempt.has(name) && !/@throws|Like \{@link/.test(comments.get(name)!));
  expect([...new Set(silent)]).toEqual([]);
});
