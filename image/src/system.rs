//! The only module that starts programs: a fixed path, a list of arguments, never a shell.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A program with its arguments, before it is started.
pub struct Program {
    command: Command,
    text: String,
}

impl Program {
    /// Names a program by its absolute path.
    pub fn new(path: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the module that starts programs")]
        let command = Command::new(path);
        Self { command, text: path.to_owned() }
    }

    /// Appends one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.text.push(' ');
        self.text.push_str(&argument.as_ref().to_string_lossy());
        self.command.arg(argument);
        self
    }

    /// Appends `--name=value`.
    #[must_use]
    pub fn option(self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut argument = OsString::from(format!("--{name}="));
        argument.push(value);
        self.arg(argument)
    }

    /// Appends several arguments.
    #[must_use]
    pub fn args(self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        arguments.into_iter().fold(self, Program::arg)
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the folder the program starts in.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs the program and returns what it printed.
    ///
    /// # Errors
    /// Fails when the program cannot be started or returns non-zero; the error quotes the end of what it said.
    pub fn output(mut self) -> Result<String> {
        self.command.stdin(Stdio::null());
        let output = self.command.output().with_context(|| format!("start {}", self.text))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let said = format!("{printed}{}", String::from_utf8_lossy(&output.stderr));
            bail!("{} ended with {}:\n{}", self.text, output.status, last_lines(&said, 30));
        }
        Ok(printed)
    }

    /// Runs the program for its effect.
    ///
    /// # Errors
    /// As [`Program::output`].
    pub fn run(self) -> Result<()> {
        self.output().map(|_printed| ())
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(count)).copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::Program;

    #[test]
    fn a_failing_program_is_an_error_that_quotes_what_it_said() {
        let error = Program::new("/usr/bin/ls").arg("/does-not-exist").output().unwrap_err().to_string();
        assert!(error.contains("/usr/bin/ls /does-not-exist ended with"), "{error}");
        assert!(error.contains("No such file"), "{error}");
    }
}
