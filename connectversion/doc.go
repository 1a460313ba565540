// Package connectversion answers: is this Entra Connect, or this agent, still
// good, and until when?
//
// [Assess] takes a product, a version, a day and what else is known, and
// returns everything that applies, worst first, on separate axes: the vendor's
// support, hard cut-offs and what they stop, missing security fixes, the reach
// of automatic upgrade, recalls, and what the version needs or lacks. They are
// never rolled into one word: 2.6.3.0 is supported until July 2027, and stops
// synchronising in April.
//
// Six products are known. Their version numbers collide, so a version always
// comes with its product. The tables are embedded, with the day on which they
// were compared with the vendor's pages ([AsOf]) and a source for every row;
// [LoadCatalogue] reads newer ones at run time. What the tables do not know is
// reported as unknown: a build above every listed one is newer than the data,
// not out of support.
//
// Where a document prints the end of support and the vendor's formula gives
// another day, the printed one counts, and the finding tells both. Rules that
// were announced later are applied to earlier days too: the verdict for a day
// in 2020 lists the cut-offs of 2023 as upcoming.
//
// A plan ([Plan]) rests on the same predicates as a verdict, and has steps:
// which version to run from which day to which. [AssessFleet] judges many
// servers of many tenants, and [Diff] compares two catalogues.
//
// The version itself can be had from many places that disagree when an upgrade
// was left half-way; [Reconcile] compares them. [ReadFileVersion] reads the
// version resource of an executable on any system, [ReadRegistry] a .reg
// export, [Local] a Windows machine's own registry and files, and [Gather] a
// folder with all of that. Nothing here sends a packet.
package connectversion
