// Runs the code blocks of documentation.
import ts from 'typescript';

export interface Block {
  /** File and line of its first line. */
  place: string;
  code: string;
}

/** The fenced blocks of the given languages in a text. */
export function fencedBlocks(file: string, text: string, languages: readonly string[]): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; code: string[] } | null = null;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```(\w*)$/.exec(line);
    if (open !== null && fence === null) open.code.push(line);
    if (fence === null) continue;
    if (open === null) {
      open = { line: index + 2, code: [] };
      if (!languages.includes(fence[1]!)) open.line = 0;
    } else {
      if (open.line > 0) blocks.push({ place: `${file}:${String(open.line)}`, code: open.code.join('\n') });
      open = null;
    }
  }
  return blocks;
}

const COMPILER_OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.CommonJS,
  esModuleInterop: true,
};

const AsyncFunction = Object.getPrototypeOf(async function () {}).constructor as new (
  ...names: string[]
) => (...values: unknown[]) => Promise<void>;

/**
 * Runs a block.
 *
 * @param modules - What it may import.
 * @param names - What is around it; those that it declares or imports itself are left out.
 */
export async function execute(
  code: string,
  modules: ReadonlyMap<string, object>,
  names: Record<string, unknown> = {},
): Promise<void> {
  const { outputText } = ts.transpileModule(code, { compilerOptions: COMPILER_OPTIONS });
  const isDeclared = (name: string): boolean =>
    new RegExp(`\\b(?:const|let|function\\*?|class) ${name}\\b`).test(code);
  const all: Record<string, unknown> = {
    ...names,
    exports: {},
    require: (specifier: string) => {
      const module = modules.get(specifier);
      if (module === undefined) throw new Error(`An example imports ${specifier}`);
      return module;
    },
  };
  const used = Object.keys(all).filter((name) => !isDeclared(name));
  await new AsyncFunction(...used, outputText)(...used.map((name) => all[name]));
}
