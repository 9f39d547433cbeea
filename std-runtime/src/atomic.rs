//! Atomic replacement of files: a reader sees the old content or the complete new content.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes the file at `path` so that a reader sees the old content or the complete new content.
///
/// `write` fills a temporary file in the same folder, which is then flushed, synchronized with the disk and
/// renamed to `path`. The folder is synchronized last, so that the new name survives a power failure. If
/// anything fails, for example because the disk is full, the temporary file is removed and the old file
/// remains unchanged. Missing parent folders are created. A symbolic link is followed: its target is replaced
/// and the link remains. A path that is not a regular file (a terminal, a pipe, `/dev/stdout`) cannot be
/// replaced, so it is written to directly.
///
/// # Errors
/// Returns the errors of `write` and of the file system, with the path in the message.
///
/// ```
/// use std::io::Write;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("runs/notes.txt");
/// expe::atomic::write_atomically(&path, |file| writeln!(file, "all or nothing"))?;
/// assert_eq!(std::fs::read_to_string(&path)?, "all or nothing\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_atomically<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<T> {
    let result = if is_stream(path) { write_stream(path, write) } else { replace(path, write) };
    result.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
    })
}

/// Removes the temporary files in `folder` that were left by a process killed while writing the file `name`.
/// No other process may be writing that file.
///
/// # Errors
/// Returns the errors of the file system, with the path in the message.
pub fn remove_left_over(folder: &Path, name: &str) -> io::Result<()> {
    let prefix = format!(".{name}.");
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_ours = |name: &str| name.starts_with(&prefix) && name.ends_with(SUFFIX);
        if entry.file_name().to_str().is_some_and(is_ours) {
            let path = entry.path();
            fs::remove_file(&path).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot remove {}: {error}", path.display()))
            })?;
        }
    }
    Ok(())
}

/// Suffix of temporary files.
const SUFFIX: &str = ".tmp";

/// Returns whether `path` accepts bytes but cannot be replaced.
fn is_stream(path: &Path) -> bool {
    let descriptor = ["/dev/stdout", "/dev/stderr"].iter().any(|name| path == Path::new(name))
        || path.starts_with("/dev/fd")
        || path.starts_with("/proc/self/fd");
    descriptor || fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn write_stream<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<T> {
    let mut stream = BufWriter::new(File::options().write(true).open(path)?);
    let value = write(&mut stream)?;
    stream.flush()?;
    Ok(value)
}

fn replace<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
) -> io::Result<T> {
    let target = if path.is_symlink() { fs::canonicalize(path)? } else { path.to_path_buf() };
    if target.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    let name = target.file_name().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a file name")
    })?;
    let folder = parent(&target);
    fs::create_dir_all(&folder)?;

    let temporary = temporary_file(&folder, name, &target)?;
    let (file, temporary) = temporary.into_parts();
    let mut buffered = BufWriter::new(file);
    let value = write(&mut buffered)?;
    buffered.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    temporary.persist(&target).map_err(|error| error.error)?;
    sync_folder(&folder)?;
    Ok(value)
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Creates the temporary file beside `target`, with the permissions of the finished file.
fn temporary_file(
    folder: &Path,
    name: &OsStr,
    target: &Path,
) -> io::Result<tempfile::NamedTempFile> {
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // `tempfile` makes files private by default; the permissions of new files follow the umask.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder)?;
    if let Ok(old) = fs::metadata(target) {
        file.as_file().set_permissions(old.permissions())?;
    }
    Ok(file)
}

/// Makes a rename in `folder` durable. Only Unix can synchronize a folder.
fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for text in ["first", "second"] {
            write_atomically(&path, |file| file.write_all(text.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(entries(folder.path()), ["a.txt"]);
    }

    #[test]
    fn failure_keeps_the_old_file_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        let error = write_atomically(&path, |file| {
            file.write_all(&[b'x'; 100_000])?;
            Err::<(), _>(io::Error::new(io::ErrorKind::StorageFull, "no space left"))
        })
        .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().contains("a.txt"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(entries(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_folder_at_the_path_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_atomically(folder.path(), |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }

    #[cfg(unix)]
    #[test]
    fn follows_links_and_keeps_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("real");
        let link = folder.path().join("link");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_atomically(&link, |file| file.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    /// `/dev/full` fails every write with "no space left on device", as a full disk does.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_written_to_directly_and_its_errors_are_returned() {
        assert!(write_atomically(Path::new("/dev/null"), |file| file.write_all(b"x")).is_ok());
        let error =
            write_atomically(Path::new("/dev/full"), |file| file.write_all(b"x")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
