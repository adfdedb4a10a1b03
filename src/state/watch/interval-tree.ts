/**
 * A balanced tree (AVL) of half-open key intervals. It finds all intervals that contain a key in
 * O(log n + hits), because each node knows the greatest end below it. Keys are latin1 text, whose
 * order is the byte order. Equal intervals are one item; the caller groups watchers with the same
 * interval.
 *
 * Source: an AVL tree (Adelson-Velsky and Landis, 1962), augmented as an interval tree (Cormen et
 * al., Introduction to Algorithms, "Interval trees").
 */
import { invariant } from "../../base/invariant.js";

export interface KeyInterval {
  readonly start: string;
  /** Exclusive; undefined: no upper bound. */
  readonly end: string | undefined;
}

interface Node<T extends KeyInterval> {
  item: T;
  left: Node<T> | undefined;
  right: Node<T> | undefined;
  height: number;
  /** The greatest end in this subtree. Undefined: unbounded. */
  maxEnd: string | undefined;
}

export class IntervalTree<T extends KeyInterval> {
  #root: Node<T> | undefined;

  find(interval: KeyInterval): T | undefined {
    let node = this.#root;
    while (node !== undefined) {
      const order = compare(interval, node.item);
      if (order === 0) return node.item;
      node = order < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** Adds an item. No item with an equal interval may be present. */
  insert(item: T): void {
    this.#root = inserted(this.#root, item);
  }

  /** Removes the item with this interval. Does nothing if there is none. */
  remove(interval: KeyInterval): void {
    this.#root = removed(this.#root, interval);
  }

  /** Appends every item whose interval contains `key`, ascending by interval. */
  collect(key: string, into: T[]): void {
    if (this.#root !== undefined) collect(this.#root, key, into);
  }
}

/** Orders by start, then by end. */
function compare(a: KeyInterval, b: KeyInterval): number {
  if (a.start !== b.start) return a.start < b.start ? -1 : 1;
  if (a.end === b.end) return 0;
  if (a.end === undefined) return 1;
  return b.end === undefined || a.end < b.end ? -1 : 1;
}

function collect<T extends KeyInterval>(node: Node<T>, key: string, into: T[]): void {
  if (node.maxEnd !== undefined && node.maxEnd <= key) return;
  if (node.left !== undefined) collect(node.left, key, into);
  const { item } = node;
  // All intervals to the right start even later.
  if (item.start > key) return;
  if (item.end === undefined || key < item.end) into.push(item);
  if (node.right !== undefined) collect(node.right, key, into);
}

function inserted<T extends KeyInterval>(node: Node<T> | undefined, item: T): Node<T> {
  if (node === undefined) {
    return { item, left: undefined, right: undefined, height: 1, maxEnd: item.end };
  }
  const order = compare(item, node.item);
  invariant(order !== 0, "an interval is inserted twice");
  if (order < 0) node.left = inserted(node.left, item);
  else node.right = inserted(node.right, item);
  return balanced(node);
}

function removed<T extends KeyInterval>(
  node: Node<T> | undefined,
  interval: KeyInterval,
): Node<T> | undefined {
  if (node === undefined) return undefined;
  const order = compare(interval, node.item);
  if (order < 0) node.left = removed(node.left, interval);
  else if (order > 0) node.right = removed(node.right, interval);
  else if (node.left === undefined) return node.right;
  else if (node.right === undefined) return node.left;
  else {
    node.item = leftmost(node.right);
    node.right = removed(node.right, node.item);
  }
  return balanced(node);
}

function leftmost<T extends KeyInterval>(node: Node<T>): T {
  let at = node;
  while (at.left !== undefined) at = at.left;
  return at.item;
}

/** Restores the node's fields and the AVL rule: its children's heights differ by at most 1. */
function balanced<T extends KeyInterval>(node: Node<T>): Node<T> {
  const lean = height(node.left) - height(node.right);
  if (lean > 1 && node.left !== undefined) {
    if (height(node.left.left) < height(node.left.right)) node.left = rotatedLeft(node.left);
    return rotatedRight(node);
  }
  if (lean < -1 && node.right !== undefined) {
    if (height(node.right.right) < height(node.right.left)) node.right = rotatedRight(node.right);
    return rotatedLeft(node);
  }
  refresh(node);
  return node;
}

function rotatedLeft<T extends KeyInterval>(node: Node<T>): Node<T> {
  const top = node.right as Node<T>;
  node.right = top.left;
  refresh(node);
  top.left = node;
  refresh(top);
  return top;
}

function rotatedRight<T extends KeyInterval>(node: Node<T>): Node<T> {
  const top = node.left as Node<T>;
  node.left = top.right;
  refresh(node);
  top.right = node;
  refresh(top);
  return top;
}

function refresh<T extends KeyInterval>(node: Node<T>): void {
  const { left, right } = node;
  node.height = 1 + Math.max(height(left), height(right));
  let maxEnd = node.item.end;
  if (left !== undefined) maxEnd = laterEnd(maxEnd, left.maxEnd);
  if (right !== undefined) maxEnd = laterEnd(maxEnd, right.maxEnd);
  node.maxEnd = maxEnd;
}

function laterEnd(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a < b ? b : a;
}

function height(node: { readonly height: number } | undefined): number {
  return node === undefined ? 0 : node.height;
}
