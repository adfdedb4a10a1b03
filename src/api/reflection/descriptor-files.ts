/** The files of proto/ as descriptors, and which of them declares a name. */
import {
  createFileRegistry,
  type DescEnum,
  type DescFile,
  type DescMessage,
  type DescService,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptorSet } from "../../wire/gen/descriptors.js";

export interface DescriptorFile {
  /** As imports name it, for example "rpc.proto". */
  readonly name: string;
  /** An encoded google.protobuf.FileDescriptorProto. */
  readonly bytes: Uint8Array;
  /** The files that it imports. */
  readonly imports: readonly string[];
}

export class DescriptorFiles {
  readonly #byName = new Map<string, DescriptorFile>();
  /** The file that declares a name: a message, a field, a service, a method, an enum or its value. */
  readonly #bySymbol = new Map<string, DescriptorFile>();
  readonly #messages = new Set<string>();

  constructor() {
    const set = fromBinary(FileDescriptorSetSchema, Buffer.from(descriptorSet, "base64"));
    for (const file of createFileRegistry(set).files) this.#add(file);
  }

  named(name: string): DescriptorFile | undefined {
    return this.#byName.get(name);
  }

  /** @param symbol a full name without a leading dot, for example "etcdserverpb.KV.Put" */
  declaring(symbol: string): DescriptorFile | undefined {
    return this.#bySymbol.get(symbol);
  }

  hasMessage(typeName: string): boolean {
    return this.#messages.has(typeName);
  }

  /** This file, then all that it needs, each once. */
  withImports(file: DescriptorFile): DescriptorFile[] {
    const all = new Set([file]);
    // A set gives out what is added while it is walked.
    for (const { imports } of all) {
      for (const name of imports) {
        const imported = this.#byName.get(name);
        if (imported !== undefined) all.add(imported);
      }
    }
    return [...all];
  }

  #add(desc: DescFile): void {
    const { proto } = desc;
    const bytes = toBinary(FileDescriptorProtoSchema, proto);
    const file: DescriptorFile = { name: proto.name, bytes, imports: proto.dependency };
    this.#byName.set(file.name, file);
    for (const symbol of symbolsOf(desc)) this.#bySymbol.set(symbol, file);
    for (const { typeName } of allMessages(desc.messages)) this.#messages.add(typeName);
  }
}

function* symbolsOf(file: DescFile): Iterable<string> {
  const scope = file.proto.package;
  for (const service of file.services) yield* symbolsOfService(service);
  for (const each of file.enums) yield* symbolsOfEnum(each, scope);
  for (const message of allMessages(file.messages)) {
    yield message.typeName;
    for (const { name } of message.fields) yield `${message.typeName}.${name}`;
    for (const { name } of message.oneofs) yield `${message.typeName}.${name}`;
    for (const each of message.nestedEnums) yield* symbolsOfEnum(each, message.typeName);
  }
}

function* symbolsOfService({ typeName, methods }: DescService): Iterable<string> {
  yield typeName;
  for (const { name } of methods) yield `${typeName}.${name}`;
}

/** The values of an enum belong to the scope around it, as in C. */
function* symbolsOfEnum({ typeName, values }: DescEnum, scope: string): Iterable<string> {
  yield typeName;
  for (const { name } of values) yield `${scope}.${name}`;
}

function* allMessages(messages: readonly DescMessage[]): Iterable<DescMessage> {
  for (const message of messages) {
    yield message;
    yield* allMessages(message.nestedMessages);
  }
}
