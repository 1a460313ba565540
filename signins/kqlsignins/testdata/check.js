// Reads {"library": folder, "tables": {name: "(column: type, …)"}, "queries": [text]} from
// standard input, and writes for each query what Microsoft's parser and type
// checker say of it: {"diagnostics": [{"code", "severity", "message", "at"}],
// "columns": [{"name", "type"}], "tree": …}.
//
// A node of the tree is {"kind", "text"} where it is a word of the query, and
// {"kind", "nodes": [...]} otherwise.
'use strict';
const fs = require('fs');
const path = require('path');
const vm = require('vm');

const input = JSON.parse(fs.readFileSync(0, 'utf8'));
for (const file of ['bridge.min.js', 'Kusto.Language.Bridge.min.js']) {
  vm.runInThisContext(fs.readFileSync(path.join(input.library, file), 'utf8'), { filename: file });
}
const K = globalThis.Kusto;
const S = K.Language.Symbols;
const tables = Object.entries(input.tables).map(([name, schema]) => new S.TableSymbol.$ctor7(name, schema, null));
const database = new S.DatabaseSymbol.$ctor1('logs', System.Array.init(tables, S.Symbol), false);
const globals = K.Language.GlobalState.Default.WithDatabase(database);

function list(l) {
  const out = [];
  if (!l) return out;
  if (typeof l.Count === 'number' && l.getItem) for (let i = 0; i < l.Count; i++) out.push(l.getItem(i));
  else if (l.ToArray) return Array.from(l.ToArray());
  else for (const x of l) out.push(x);
  return out;
}

function tree(node) {
  if (node === null || node === undefined) return null;
  const kind = System.Enum.toString(K.Language.Syntax.SyntaxKind, node.Kind);
  if (node.IsToken) return { kind, text: node.Text };
  const nodes = [];
  for (let i = 0; i < node.ChildCount; i++) {
    const child = node.GetChild(i);
    if (child) nodes.push(tree(child));
  }
  return { kind, nodes };
}

const answers = input.queries.map((text) => {
  const code = K.Language.KustoCode.ParseAndAnalyze(text, globals);
  const diagnostics = list(code.GetDiagnostics()).map((d) => ({ code: d.Code, severity: d.Severity, message: d.Message, at: text.substr(d.Start, 60) }));
  const result = code.ResultType;
  const columns = result && result.Columns ? list(result.Columns).map((c) => ({ name: c.Name, type: c.Type.Name })) : [];
  return { diagnostics, columns, tree: input.trees ? tree(code.Syntax) : undefined };
});
process.stdout.write(JSON.stringify(answers));
