#!/bin/sh
# Regenerates src/wire/gen from proto/. Needs protoc (Debian: protobuf-compiler).
set -eu
cd "$(dirname "$0")/.."
rm -rf src/wire/gen && mkdir -p src/wire/gen
reflection=proto/grpc/reflection/v1/reflection.proto
files="$reflection proto/auth.proto proto/kv.proto proto/rpc.proto proto/lock.proto proto/election.proto proto/internal.proto proto/integrity.proto"
protoc --plugin=node_modules/.bin/protoc-gen-ts_proto --ts_proto_out=src/wire/gen -I proto \
  --ts_proto_opt=esModuleInterop=true,forceLong=bigint,importSuffix=.js,outputJsonMethods=false \
  --ts_proto_opt=outputPartialMethods=false,outputServices=none,oneof=unions-value,useOptionals=none \
  --ts_proto_opt=snakeToCamel=false,outputTypeAnnotations=false,removeEnumPrefix=false,env=node \
  $files
# What clients may call, as data: for JSON and for gRPC's reflection.
set -- proto/auth.proto proto/kv.proto proto/rpc.proto proto/lock.proto proto/election.proto proto/integrity.proto \
  proto/grpc/health/v1/health.proto "$reflection" proto/grpc/reflection/v1alpha/reflection.proto
descriptors="$(mktemp)"
protoc -I proto --descriptor_set_out="$descriptors" "$@"
node tools/write-descriptors.mjs "$descriptors" >src/wire/gen/descriptors.ts
rm -f "$descriptors"
