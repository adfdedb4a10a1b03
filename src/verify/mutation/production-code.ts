/**
 * The compiled production code by the names that it declares. It looks up the file of a function,
 * so that a mutant need not name the file.
 */
import { isNode, type Parse, type SyntaxNode } from "./syntax.js";

export interface Declared {
  /** "Committer.#commitNow" */
  readonly name: string;
  /** The file's path below the folder of the compiled code: "storage/committer.js". */
  readonly file: string;
  /** The syntax of the whole declaration. */
  readonly node: SyntaxNode;
  readonly isExported: boolean;
}

export interface CodeFiles {
  /** The names of all files of the program, without verify/ and cli/. */
  readonly names: readonly string[];
  read(name: string): string;
}

export class ProductionCode {
  readonly parse: Parse;
  readonly #files: CodeFiles;
  readonly #texts = new Map<string, string>();
  #all: readonly Declared[] | undefined;

  constructor(files: CodeFiles, parse: Parse) {
    this.#files = files;
    this.parse = parse;
  }

  read(file: string): string {
    const text = this.#texts.get(file) ?? this.#files.read(file);
    this.#texts.set(file, text);
    return text;
  }

  /** In the order of files and places. */
  all(): readonly Declared[] {
    this.#all ??= this.#files.names
      .filter((name) => name.endsWith(".js") && !/^(verify|cli)\//.test(name))
      .sort()
      .flatMap((file) => declaredIn(this.parse(this.read(file)), file));
    return this.#all;
  }

  /**
   * The declarations with that name: one, unless several files declare it.
   *
   * @param file the file's name without folders, of the source or the compiled code
   * @throws Error if there is none
   */
  named(name: string, file?: string): readonly Declared[] {
    const hint = file?.replace(/\.[jt]s$/, ".js");
    const found = this.all().filter(
      (declared) =>
        declared.name === name && (hint === undefined || baseOf(declared.file) === hint),
    );
    if (found.length > 0) return found;
    throw new Error(`nothing declares ${name}${file === undefined ? "" : ` in a file ${file}`}`);
  }

  /** The file that exports a name. @throws Error if there is not exactly one */
  exporterOf(name: string): string {
    const found = this.all().filter((declared) => declared.isExported && declared.name === name);
    const [first, second] = found;
    if (first === undefined) throw new Error(`nothing exports ${name}`);
    if (second !== undefined) throw new Error(`${found.length} files export ${name}`);
    return first.file;
  }
}

function baseOf(file: string): string {
  return file.slice(file.lastIndexOf("/") + 1);
}

/** The names that a file declares at its top, and the members of its classes. */
export function declaredIn(program: SyntaxNode, file: string): readonly Declared[] {
  const found: Declared[] = [];
  for (const statement of program.body as readonly SyntaxNode[]) {
    const isExported = statement.type === "ExportNamedDeclaration";
    const node = isExported ? statement.declaration : statement;
    if (!isNode(node)) continue;
    for (const [name, inner] of namesIn(node)) found.push({ name, file, node: inner, isExported });
  }
  return found;
}

function namesIn(node: SyntaxNode): readonly (readonly [string, SyntaxNode])[] {
  if (node.type === "FunctionDeclaration") return [[nameOf(node.id), node]];
  if (node.type === "VariableDeclaration") {
    const declarators = node.declarations as readonly SyntaxNode[];
    return declarators.map((declarator) => [nameOf(declarator.id), declarator] as const);
  }
  if (node.type !== "ClassDeclaration") return [];
  const name = nameOf(node.id);
  const members = (node.body as SyntaxNode).body as readonly SyntaxNode[];
  return [
    [name, node],
    ...members
      .filter((member) => isNode(member.key))
      .map((member) => [`${name}.${nameOf(member.key)}`, member] as const),
  ];
}

function nameOf(node: unknown): string {
  if (!isNode(node)) return "";
  const name = String(node.name ?? "");
  return node.type === "PrivateIdentifier" ? `#${name}` : name;
}
