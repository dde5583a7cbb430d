//! Kernel configuration as text: what the fragments ask for, and what of it the kernel's own tool did not grant.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, bail};

/// Symbols with their values; a symbol that is off has the value `n`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelConfig(BTreeMap<String, String>);

/// A symbol that has another value than the fragments ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The symbol, with its `CONFIG_`.
    pub symbol: String,
    /// The value asked for.
    pub asked: String,
    /// The value after `olddefconfig`.
    pub got: String,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: asked for {}, got {}", self.symbol, self.asked, self.got)
    }
}

impl KernelConfig {
    /// Parses a fragment or a `.config`. Where a symbol comes twice, the last one counts.
    ///
    /// # Errors
    /// Fails on a line that is neither a setting, nor `# CONFIG_X is not set`, nor a comment.
    pub fn parse(text: &str) -> Result<Self> {
        let mut symbols = BTreeMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(symbol) = line.strip_prefix("# ").and_then(|rest| rest.strip_suffix(" is not set")) {
                symbols.insert(symbol.to_owned(), "n".to_owned());
            } else if let Some((symbol, value)) = line.split_once('=').filter(|_| line.starts_with("CONFIG_")) {
                symbols.insert(symbol.to_owned(), value.to_owned());
            } else if !line.starts_with('#') {
                bail!("not a line of a kernel configuration: {line:?}");
            }
        }
        Ok(Self(symbols))
    }

    /// Adds another fragment's symbols.
    ///
    /// # Errors
    /// Fails when both have a symbol: two fragments that disagree hide which one counts.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        for (symbol, value) in other.0 {
            if self.0.contains_key(&symbol) {
                bail!("{symbol} is in two fragments");
            }
            self.0.insert(symbol, value);
        }
        Ok(())
    }

    /// Prints the symbols in the form of a fragment, `CONFIG_EXPERT` first: without it others snap back.
    pub fn print(&self) -> String {
        let mut symbols: Vec<_> = self.0.iter().collect();
        symbols.sort_by_key(|(symbol, _)| symbol.as_str() != "CONFIG_EXPERT");
        let line = |(symbol, value): (&String, &String)| match value.as_str() {
            "n" => format!("# {symbol} is not set\n"),
            value => format!("{symbol}={value}\n"),
        };
        symbols.into_iter().map(line).collect()
    }

    /// Lists what the resolved configuration does not grant. A symbol it does not mention is off.
    pub fn unmet(&self, resolved: &Self) -> Vec<Unmet> {
        let got = |symbol| resolved.0.get(symbol).map_or("n", String::as_str);
        self.0
            .iter()
            .filter(|(symbol, asked)| got(*symbol) != asked.as_str())
            .map(|(symbol, asked)| Unmet { symbol: symbol.clone(), asked: asked.clone(), got: got(symbol).to_owned() })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::KernelConfig;

    #[test]
    fn a_symbol_that_snapped_back_is_named() {
        let asked =
            KernelConfig::parse("CONFIG_EROFS_FS=y\n# CONFIG_MODULES is not set\nCONFIG_NR_CPUS=512\n").unwrap();
        let granted = KernelConfig::parse("# head\nCONFIG_EROFS_FS=y\nCONFIG_NR_CPUS=512\n").unwrap();
        assert_eq!(asked.unmet(&granted), []);
        let refused = KernelConfig::parse("CONFIG_MODULES=y\nCONFIG_NR_CPUS=64\n").unwrap();
        let unmet: Vec<String> = asked.unmet(&refused).iter().map(ToString::to_string).collect();
        assert_eq!(
            unmet,
            [
                "CONFIG_EROFS_FS: asked for y, got n",
                "CONFIG_MODULES: asked for n, got y",
                "CONFIG_NR_CPUS: asked for 512, got 64"
            ]
        );
    }

    #[test]
    fn a_symbol_in_two_fragments_is_refused() {
        let mut first = KernelConfig::parse("CONFIG_NET=y").unwrap();
        assert!(first.merge(KernelConfig::parse("# CONFIG_NET is not set").unwrap()).is_err());
        assert!(KernelConfig::parse("COFNIG_NET=y").is_err());
    }

    #[test]
    fn what_was_printed_reads_back_with_expert_first() {
        let config = KernelConfig::parse("# CONFIG_A is not set\nCONFIG_EXPERT=y\nCONFIG_L=\"-x\"\n").unwrap();
        assert!(config.print().starts_with("CONFIG_EXPERT=y\n"));
        assert_eq!(KernelConfig::parse(&config.print()).unwrap(), config);
    }
}
