/**
 * Compares pieces of JavaScript and TypeScript by their syntax. Layout, comments, the kind of
 * quotes, parentheses that change nothing, and types do not count.
 *
 * The caller passes the parser (cli/mutants/mutant-parser.ts), because a running store has none. The parser
 * gives an ESTree with TypeScript's nodes in it.
 */

export interface SyntaxNode {
  readonly type: string;
  /** Offsets in the text, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  readonly [part: string]: unknown;
}

/** @throws Error if the text is not a module in TypeScript */
export type Parse = (text: string) => SyntaxNode;

/** What a patch looks for: one expression, or some statements in a row. */
export type Fragment = readonly [SyntaxNode, ...SyntaxNode[]];

/** Parts of nodes that do not change what the code does, or only describe its types. */
const ignored = new Set([
  ...["type", "start", "end", "range", "loc", "raw", "shorthand"],
  ...["typeAnnotation", "returnType", "typeParameters", "typeArguments", "superTypeArguments"],
  ...["implements", "accessibility", "readonly", "override", "optionalType", "definite", "declare"],
  ...["importKind", "exportKind", "directive"],
]);

const typeWrappers = new Set(["TSAsExpression", "TSNonNullExpression", "TSSatisfiesExpression"]);

/** True for a node of oxc's syntax tree. */
export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

/** The expression without the parts that only give its type. */
function bare(node: SyntaxNode): SyntaxNode {
  return typeWrappers.has(node.type) ? bare(node.expression as SyntaxNode) : node;
}

/** True if two trees are equal but for positions. */
export function isSameSyntax(a: unknown, b: unknown): boolean {
  if (isNode(a) && isNode(b)) return isSameNode(bare(a), bare(b));
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, at) => isSameSyntax(item, b[at]));
  }
  if (typeof a === "object" && typeof b === "object" && a !== null && b !== null) {
    if (a instanceof RegExp || b instanceof RegExp) return String(a) === String(b);
    return isSameParts(a as SyntaxNode, b as SyntaxNode);
  }
  // An absent flag means off.
  return a === b || (isAbsent(a) && isAbsent(b));
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === false;
}

function isSameNode(a: SyntaxNode, b: SyntaxNode): boolean {
  return a.type === b.type && isSameParts(a, b);
}

function isSameParts(a: SyntaxNode, b: SyntaxNode): boolean {
  // The optional mark of a parameter belongs to its type; that of a call or a member does not.
  const isType = a.type === "Identifier";
  for (const part of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (ignored.has(part) || (isType && part === "optional")) continue;
    if (!isSameSyntax(a[part], b[part])) return false;
  }
  return true;
}

/** Visits every list of nodes in a tree; a node that is held alone is a list of one. */
export function walk(tree: SyntaxNode, see: (list: readonly SyntaxNode[]) => void): void {
  for (const held of Object.values(tree)) {
    const list = (Array.isArray(held) ? held : [held]).filter(isNode);
    if (list.length > 0) see(list);
    for (const inner of list) walk(inner, see);
  }
}

/** @throws Error if it is neither an expression nor statements */
export function parseFragment(parse: Parse, text: string): Fragment {
  // Inside a function where `return`, `await`, `super` and private names are allowed.
  const within = (inner: string): readonly SyntaxNode[] => {
    const program = parse(`class C extends B { async *m() {${inner}\n} }`);
    const [declared] = program.body as readonly [SyntaxNode];
    const [method] = (declared.body as SyntaxNode).body as readonly [SyntaxNode];
    return ((method.value as SyntaxNode).body as SyntaxNode).body as readonly SyntaxNode[];
  };
  if (!text.trimEnd().endsWith(";")) {
    try {
      const [only, ...others] = within(`(${text}\n)`);
      if (only?.type === "ExpressionStatement" && others.length === 0) {
        return [only.expression as SyntaxNode];
      }
    } catch {
      // Not an expression.
    }
  }
  const [first, ...rest] = within(text);
  if (first === undefined) throw new Error("nothing to look for");
  return [first, ...rest];
}

/** The places of the fragment in a tree: start and end of each. */
export function placesOf(
  fragment: Fragment,
  tree: SyntaxNode,
): readonly { readonly start: number; readonly end: number }[] {
  const places: { readonly start: number; readonly end: number }[] = [];
  walk(tree, (list) => {
    for (let at = 0; at + fragment.length <= list.length; at++) {
      const window = list.slice(at, at + fragment.length);
      if (!isSameSyntax(window, fragment)) continue;
      places.push({ start: window[0]?.start ?? 0, end: window.at(-1)?.end ?? 0 });
    }
  });
  return places;
}
