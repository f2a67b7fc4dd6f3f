import Link from "next/link";

/** The way here. The last part is the page itself and no link. A long name is cut off here, and whole in the title. */
export function Breadcrumb({ parts }: { parts: readonly { href?: string; text: string }[] }) {
  return (
    <nav aria-label="Breadcrumb" className="flex flex-wrap text-xs leading-6 text-ink-3">
      {parts.map(({ href, text }, index) => (
        <span key={text} className="flex min-w-0">
          {index > 0 && (
            <span aria-hidden className="px-1">
              /
            </span>
          )}
          {href ? (
            <Link href={href} className="max-w-[min(24rem,70vw)] truncate hover:text-ink hover:underline">
              {text}
            </Link>
          ) : (
            <span>{text}</span>
          )}
        </span>
      ))}
    </nav>
  );
}
