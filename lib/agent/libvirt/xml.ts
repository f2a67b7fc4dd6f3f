/** XML from libvirt and from hosts, read with bounds; nothing outside builds XML by joining strings. */
import { XMLBuilder, XMLParser } from "fast-xml-parser";

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseTagValue: false,
  parseAttributeValue: false,
  // A path may end in a blank.
  trimValues: false,
  // The predefined entities only, with the parser's own bounds; a document type of its own is not read.
  processEntities: true,
  // One level for each layer of a backing chain.
  maxNestedTags: 300,
  isArray: (name) => name === "disk",
});
const builder = new XMLBuilder({ ignoreAttributes: false, attributeNamePrefix: "@", suppressEmptyNode: true });

export type XmlNode = { [name: string]: XmlNode | XmlNode[] | string | undefined };

/** Parses one document. Throws on XML that is not well-formed and on a DOCTYPE. */
export function parseXml(text: string): XmlNode {
  if (text.includes("<!DOCTYPE")) throw new Error("the XML has a document type, which libvirt never sends");
  // With its validator: without it a document that is cut off reads as a shorter one.
  return parser.parse(text, true);
}

/** Builds a document; values are escaped. */
export const buildXml = (node: XmlNode): string => String(builder.build(node));

/** The child element `name`, or null when it is absent or empty text. */
export function child(node: XmlNode | null | undefined, name: string): XmlNode | null {
  const value = node?.[name];
  const first = Array.isArray(value) ? value[0] : value;
  return typeof first === "object" ? first : null;
}
export function hasChild(node: XmlNode | null | undefined, name: string): boolean {
  return node !== null && node !== undefined && name in node;
}
export function children(node: XmlNode | null | undefined, name: string): XmlNode[] {
  const value = node?.[name];
  const list = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return list.filter((v): v is XmlNode => typeof v === "object");
}
/** Text of the child element `name`, or null. */
export function text(node: XmlNode | null | undefined, name: string): string | null {
  const value = node?.[name];
  if (typeof value === "string") return value;
  const inner = typeof value === "object" && !Array.isArray(value) ? value["#text"] : undefined;
  return typeof inner === "string" ? inner : null;
}
export function attr(node: XmlNode | null | undefined, name: string): string | null {
  const value = node?.[`@${name}`];
  return typeof value === "string" ? value : null;
}
