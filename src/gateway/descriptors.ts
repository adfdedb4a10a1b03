/** The messages of each RPC as descriptors, from the generated descriptor set. */
import { createFileRegistry, type DescMessage, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { descriptorSet } from "../wire/gen/descriptors.js";

export interface RpcMessages {
  readonly input: DescMessage;
  readonly output: DescMessage;
}

/** The messages of each RPC, by gRPC path, for example "/etcdserverpb.KV/Range". */
export function rpcMessages(): ReadonlyMap<string, RpcMessages> {
  const files = fromBinary(FileDescriptorSetSchema, Buffer.from(descriptorSet, "base64"));
  const byPath = new Map<string, RpcMessages>();
  for (const type of createFileRegistry(files)) {
    if (type.kind !== "service") continue;
    for (const { name, input, output } of type.methods) {
      byPath.set(`/${type.typeName}/${name}`, { input, output });
    }
  }
  return byPath;
}
