export { NotFoundPanel as default } from "#components/patterns/not-found-panel.tsx";
