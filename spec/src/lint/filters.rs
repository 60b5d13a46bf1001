//! Filter names: no two fields may share one, unless they are the same for a filter.

use std::collections::HashMap;

use super::Lint;
use crate::ir::*;

impl Lint<'_> {
    pub(super) fn filters(&mut self) {
        let ir = self.ir;
        let mut filters: HashMap<&str, &FieldInfo> = HashMap::new();
        for info in ir.fields.values() {
            let first = *filters.entry(&info.filter).or_insert(info);
            if first.name != info.name || !self.alike(first.kind, info.kind) {
                let what =
                    format!("{} has the filter name `{}` already, for something else", first.site.key, info.filter);
                self.report(&info.site, what);
            }
        }
        // flags and findings have filter names, too
        let flags = ir.flags.iter().flat_map(|word| {
            let filter = |name: &str| format!("msgr2.{}.{}", word.name, name.to_lowercase());
            word.says.values.iter().map(move |(name, flag)| (word.site.part(name, flag.line), filter(name)))
        });
        let findings =
            ir.findings.iter().map(|(name, finding)| (finding.site.clone(), format!("msgr2.finding.{name}")));
        for (site, filter) in flags.chain(findings) {
            if filters.contains_key(filter.as_str()) {
                self.report(&site, format!("a field has the filter name `{filter}` already"));
            }
        }
    }

    /// Whether two kinds are the same for a filter: tags are numbers of one byte, whichever dialect names them.
    fn alike(&self, one: Kind, other: Kind) -> bool {
        let is_tag = |kind: Kind| matches!(kind, Kind::Enum(_, id) if self.ir[id].dialect.is_some());
        one == other || is_tag(one) && is_tag(other)
    }
}
