import Link from "next/link";

/** The way here. The last part is the page itself and no link. */
export function Breadcrumb({ parts }: { parts: readonly { href?: string; text: string }[] }) {
  return (
    <nav aria-label="Breadcrumb" className="text-xs text-ink-3">
      {parts.map(({ href, text }, index) => (
        <span key={text}>
          {index > 0 && <span aria-hidden> / </span>}
          {href ? (
            <Link
              href={href}
              className="inline-block max-w-[min(24rem,70vw)] truncate align-bottom leading-6 hover:text-ink hover:underline"
            >
              {text}
            </Link>
          ) : (
            <span className="inline-flex min-h-6 items-center">{text}</span>
          )}
        </span>
      ))}
    </nav>
  );
}
