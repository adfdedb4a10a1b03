/**
 * Writes an encoded protobuf message as JSON, in pieces, without decoding it as a whole: an answer
 * may have 100 MiB. The form is that of etcd's gateway: field names as in the .proto files, 64-bit
 * integers as strings, bytes in base64, enums by name, no fields that have their default
 * (https://protobuf.dev/programming-guides/json/).
 */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

interface Frame {
  readonly message: DescMessage;
  /** The offset where the field's bytes end. */
  readonly end: number;
  isEmpty: boolean;
  /** The repeated field whose list is open. */
  list: DescField | undefined;
}

export class JsonWriter {
  readonly #reader: BinaryReader;
  readonly #frames: Frame[] = [];
  #text = "{";

  /**
   * The bytes must be a message of this type, as this server's encoders make them. They are not
   * checked.
   */
  constructor(message: DescMessage, bytes: Uint8Array) {
    this.#reader = new BinaryReader(bytes);
    this.#frames.push({ message, end: bytes.length, isEmpty: true, list: undefined });
  }

  /**
   * The next piece of the text, of at least this many characters unless it is the last; undefined
   * after that. One value is never cut, so a piece may be as long as the longest value.
   */
  next(charactersMin: number): string | undefined {
    while (this.#text.length < charactersMin) {
      const frame = this.#frames.at(-1);
      if (frame === undefined) break;
      if (this.#reader.pos < frame.end) this.#writeField(frame);
      else this.#close(frame);
    }
    const text = this.#text;
    this.#text = "";
    return text === "" ? undefined : text;
  }

  #close(frame: Frame): void {
    this.#text += frame.list === undefined ? "}" : "]}";
    this.#frames.pop();
  }

  #writeField(frame: Frame): void {
    const reader = this.#reader;
    const [number, wireType] = reader.tag();
    const field = frame.message.fields.find((candidate) => candidate.number === number);
    if (field === undefined) {
      reader.skip(wireType, number);
      return;
    }
    const isPacked =
      field.fieldKind === "list" &&
      wireType === WireType.LengthDelimited &&
      !isLengthDelimited(field);
    if (!isPacked) {
      this.#separate(frame, field);
      this.#writeValue(field);
      return;
    }
    const length = reader.uint32();
    for (const end = reader.pos + length; reader.pos < end; ) {
      this.#separate(frame, field);
      this.#writeValue(field);
    }
  }

  /** Writes what stands between the value before and this one. */
  #separate(frame: Frame, field: DescField): void {
    if (frame.list === field) {
      this.#text += ",";
      return;
    }
    if (frame.list !== undefined) this.#text += "]";
    if (!frame.isEmpty) this.#text += ",";
    frame.isEmpty = false;
    frame.list = field.fieldKind === "list" ? field : undefined;
    this.#text += `"${field.name}":${frame.list === undefined ? "" : "["}`;
  }

  #writeValue(field: DescField): void {
    const reader = this.#reader;
    const { message } = field;
    if (message !== undefined) {
      const end = reader.uint32() + reader.pos;
      this.#text += "{";
      this.#frames.push({ message, end, isEmpty: true, list: undefined });
    } else if (field.enum !== undefined) {
      const value = reader.int32();
      this.#text += JSON.stringify(field.enum.value[value]?.name ?? value);
    } else {
      this.#text += scalarText(reader, field.scalar);
    }
  }
}

function isLengthDelimited(field: DescField): boolean {
  if (field.message !== undefined) return true;
  return field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
}

/** @throws Error for a type that no message of these services has */
function scalarText(reader: BinaryReader, type: ScalarType | undefined): string {
  switch (type) {
    case ScalarType.BYTES: {
      const { buffer, byteOffset, length } = reader.bytes();
      return `"${Buffer.from(buffer, byteOffset, length).toString("base64")}"`;
    }
    case ScalarType.STRING:
      return JSON.stringify(reader.string());
    case ScalarType.BOOL:
      return String(reader.bool());
    case ScalarType.INT64:
      return `"${reader.int64()}"`;
    case ScalarType.UINT64:
      return `"${reader.uint64()}"`;
    case ScalarType.INT32:
      return String(reader.int32());
    case ScalarType.UINT32:
      return String(reader.uint32());
    default:
      throw new Error(`no JSON for protobuf type ${type}`);
  }
}
