/**
 * A B+ tree from key texts to histories. It also counts the keys alive below each node, so the keys
 * of a range can be counted without visiting them. Entries are in the leaves; an inner node knows a
 * lower bound of each child. Nodes hold at most `nodeMax` entries. A small node is joined with a
 * neighbour when both fit into half a node.
 *
 * Between `beginChange` and `endChange` each node that a change touches also keeps its former
 * count. So readers can count as of before the change at any time.
 */
import { invariant } from "../../base/invariant.js";
import type { Work } from "../work.js";
import type { KeyHistory } from "./key-history.js";

/** Latin-1 text of a key's bytes. Texts compare as the bytes do. */
export type KeyText = string;

const nodeMax = 64;
/** Entries of a node in a tree that is made at once, and the units of state/work.ts that it costs. */
const fill = nodeMax / 2;
const nodeUnits = 4;

class Node {
  /**
   * In a leaf: the keys. In an inner node: a lower bound of each child (the first one's is unused).
   */
  readonly keys: KeyText[];
  readonly histories: KeyHistory[] | undefined;
  readonly children: Node[] | undefined;
  alive = 0;
  /** The number of the change that stored `former`; 0: none did. */
  change = 0;
  /** The value of `alive` before that change. */
  former = 0;

  constructor(keys: KeyText[], content: { histories?: KeyHistory[]; children?: Node[] }) {
    this.keys = keys;
    this.histories = content.histories;
    this.children = content.children;
    for (const history of content.histories ?? []) if (history.isAlive()) this.alive++;
    for (const child of content.children ?? []) this.alive += child.alive;
  }
}

export class KeyTree {
  #root = new Node([], { histories: [] });
  /** Number of the running change; 0: there is none. */
  #change = 0;
  #changes = 0;
  /** The newest revision before it. */
  #revision = 0;

  /** Makes a tree of these keys, which must be sorted, with pauses. */
  static *of(
    texts: readonly KeyText[],
    historyOf: (text: KeyText) => KeyHistory,
    work: Work,
  ): Generator<undefined, KeyTree> {
    let level: Node[] = [];
    for (let at = 0; at < texts.length; at += fill) {
      const keys = texts.slice(at, at + fill);
      level.push(new Node(keys, { histories: keys.map(historyOf) }));
      if (work.spend(nodeUnits)) yield;
    }
    while (level.length > 1) {
      const above: Node[] = [];
      for (let at = 0; at < level.length; at += fill) {
        const children = level.slice(at, at + fill);
        const keys = children.map((child) => child.keys[0] as KeyText);
        above.push(new Node(keys, { children }));
        if (work.spend(nodeUnits)) yield;
      }
      level = above;
    }
    const tree = new KeyTree();
    if (level[0] !== undefined) tree.#root = level[0];
    return tree;
  }

  /** The number of keys alive. */
  get alive(): number {
    return this.#root.alive;
  }

  /**
   * The number of keys that were alive before the running change. Without a running change: now.
   */
  get formerlyAlive(): number {
    return this.#formerOf(this.#root);
  }

  /**
   * From now on nodes keep their former counts: the keys alive at `revision`, which is the newest.
   */
  beginChange(revision: number): void {
    this.#change = ++this.#changes;
    this.#revision = revision;
  }

  endChange(): void {
    this.#change = 0;
  }

  get(key: KeyText): KeyHistory | undefined {
    let node = this.#root;
    while (node.children !== undefined) node = node.children[childAt(node, key)] as Node;
    const at = lowerBound(node.keys, key);
    return node.keys[at] === key ? node.histories?.[at] : undefined;
  }

  /** Adds a key, which must be absent. `history` is counted as it is now. */
  insert(key: KeyText, history: KeyHistory): void {
    const right = this.#insert(this.#root, key, history);
    if (right === undefined) return;
    const left = this.#root;
    const keys = [left.keys[0] as KeyText, right.keys[0] as KeyText];
    this.#root = new Node(keys, { children: [left, right] });
    if (this.#change === 0) return;
    this.#root.change = this.#change;
    this.#root.former = this.#formerOf(left) + this.#formerOf(right);
  }

  /** Call when the history of `key` began (1) or ended (-1) a life. */
  addAlive(key: KeyText, difference: 1 | -1): void {
    let node = this.#root;
    this.#add(node, difference);
    while (node.children !== undefined) {
      node = node.children[childAt(node, key)] as Node;
      this.#add(node, difference);
    }
  }

  /** Removes a key, which must be present and not alive. */
  remove(key: KeyText): void {
    invariant(this.#change === 0, "a key is removed while former counts are kept");
    this.#remove(this.#root, key);
    while (this.#root.children?.length === 1) this.#root = this.#root.children[0] as Node;
  }

  /**
   * Counts the keys before `key` that are alive, or with `isFormer` were before the running change.
   */
  aliveBefore(key: KeyText, isFormer = false): number {
    let node = this.#root;
    let before = 0;
    while (node.children !== undefined) {
      const at = childAt(node, key);
      for (let left = 0; left < at; left++) {
        const child = node.children[left] as Node;
        before += isFormer ? this.#formerOf(child) : child.alive;
      }
      node = node.children[at] as Node;
    }
    const end = lowerBound(node.keys, key);
    for (let at = 0; at < end; at++) {
      const history = node.histories?.[at] as KeyHistory;
      if (isFormer ? this.#wasAlive(history) : history.isAlive()) before++;
    }
    return before;
  }

  /**
   * Visits the entries with from <= key < to (undefined: no end) in key order, until `visit`
   * returns false.
   */
  scan(
    range: { readonly from: KeyText; readonly to: KeyText | undefined },
    visit: (key: KeyText, history: KeyHistory) => boolean,
  ): void {
    scanNode(this.#root, range, visit);
  }

  /** Returns the new right neighbour if `node` had to be split. */
  #insert(node: Node, key: KeyText, history: KeyHistory): Node | undefined {
    if (history.isAlive()) this.#add(node, 1);
    if (node.children === undefined) {
      const at = lowerBound(node.keys, key);
      node.keys.splice(at, 0, key);
      node.histories?.splice(at, 0, history);
    } else {
      const at = childAt(node, key);
      const right = this.#insert(node.children[at] as Node, key, history);
      if (right === undefined) return undefined;
      node.keys.splice(at + 1, 0, right.keys[0] as KeyText);
      node.children.splice(at + 1, 0, right);
    }
    return node.keys.length > nodeMax ? this.#split(node, key) : undefined;
  }

  #split(node: Node, inserted: KeyText): Node {
    const right = split(node, inserted);
    // The running change touched `node` on the way down, so part of its former count moves to the
    // right half.
    if (this.#change === 0 || node.change !== this.#change) return right;
    const left = this.#formerCount(node);
    right.change = this.#change;
    right.former = node.former - left;
    node.former = left;
    return right;
  }

  #add(node: Node, difference: number): void {
    if (this.#change !== 0 && node.change !== this.#change) {
      node.change = this.#change;
      node.former = node.alive;
    }
    node.alive += difference;
  }

  /** Computes the former count from the node's content. */
  #formerCount(node: Node): number {
    let count = 0;
    for (const child of node.children ?? []) count += this.#formerOf(child);
    for (const history of node.histories ?? []) if (this.#wasAlive(history)) count++;
    return count;
  }

  #wasAlive(history: KeyHistory): boolean {
    return this.#change === 0 ? history.isAlive() : history.liveAt(this.#revision) >= 0;
  }

  #formerOf(node: Node): number {
    return this.#change !== 0 && node.change === this.#change ? node.former : node.alive;
  }

  #remove(node: Node, key: KeyText): void {
    if (node.children === undefined) {
      const at = lowerBound(node.keys, key);
      node.keys.splice(at, 1);
      node.histories?.splice(at, 1);
      return;
    }
    const at = childAt(node, key);
    this.#remove(node.children[at] as Node, key);
    joinSmall(node, at);
  }
}

/**
 * Moves the right half into a new node and returns that. If keys arrive in order, only the last
 * entry moves.
 */
function split(node: Node, inserted: KeyText): Node {
  const { keys } = node;
  const at = keys[keys.length - 1] === inserted ? keys.length - 1 : keys.length >> 1;
  const histories = node.histories?.splice(at);
  const children = node.children?.splice(at);
  const right = new Node(keys.splice(at), {
    ...(histories === undefined ? {} : { histories }),
    ...(children === undefined ? {} : { children }),
  });
  node.alive -= right.alive;
  return right;
}

/** Joins the child at `at` with a neighbour if both are small or one is empty. */
function joinSmall(parent: Node, at: number): void {
  const children = parent.children as Node[];
  const left = at > 0 ? at - 1 : 0;
  const first = children[left] as Node;
  const second = children[left + 1];
  if (second === undefined) return;
  const isOneEmpty = first.keys.length === 0 || second.keys.length === 0;
  if (!isOneEmpty && first.keys.length + second.keys.length > nodeMax / 2) return;
  first.keys.push(...second.keys);
  first.histories?.push(...(second.histories as KeyHistory[]));
  first.children?.push(...(second.children as Node[]));
  first.alive += second.alive;
  parent.keys.splice(left + 1, 1);
  children.splice(left + 1, 1);
}

function scanNode(
  node: Node,
  range: { readonly from: KeyText; readonly to: KeyText | undefined },
  visit: (key: KeyText, history: KeyHistory) => boolean,
): boolean {
  const { from, to } = range;
  if (node.children === undefined) {
    for (let at = lowerBound(node.keys, from); at < node.keys.length; at++) {
      const key = node.keys[at] as KeyText;
      if (to !== undefined && key >= to) return false;
      if (!visit(key, node.histories?.[at] as KeyHistory)) return false;
    }
    return true;
  }
  const first = childAt(node, from);
  for (let at = first; at < node.children.length; at++) {
    if (at > first && to !== undefined && (node.keys[at] as KeyText) >= to) return false;
    if (!scanNode(node.children[at] as Node, range, visit)) return false;
  }
  return true;
}

/** Index of the first key >= `key`. */
function lowerBound(keys: readonly KeyText[], key: KeyText): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as KeyText) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the child that holds `key`, if any does. */
function childAt(node: Node, key: KeyText): number {
  const { keys } = node;
  let low = 1;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as KeyText) <= key) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
