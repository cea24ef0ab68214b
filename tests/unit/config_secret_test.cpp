// Secret files: where they are looked for, which are refused, and that no secret ever comes out.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "config/secret_file.hpp"
#include "sync/failure.hpp"

namespace {

using namespace flanks;
using namespace flanks::config;
namespace fs = std::filesystem;

class secret_file : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "flanks-config-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    fs::create_directory(root_ / "etc");
    fs::create_directory(root_ / "cred");
  }
  void TearDown() override { fs::remove_all(root_); }

  fs::path write(const std::string& name, std::string_view content, mode_t mode = 0400) const {
    const fs::path path = root_ / name;
    std::ofstream{path, std::ios::binary} << content;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  secret_places places(bool credentials = false) const {
    return {credentials ? root_ / "cred" : fs::path{}, root_ / "etc"};
  }

  // What a refusal says, with the temporary folder as "~".
  std::string refusal(const std::string& name, bool credentials = false) const {
    try {
      (void)read_secret_file(name, places(credentials));
      return "taken";
    } catch (const failure& f) {
      EXPECT_EQ(f.stage, stage::configuration);
      EXPECT_EQ(f.verdict, verdict::stop);
      return shortened(std::string{f.what()} + (f.hint.empty() ? "" : " / " + f.hint));
    }
  }

  std::string shortened(std::string text) const {
    const std::string folder = root_.string();
    for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder)) {
      text.replace(at, folder.size(), "~");
    }
    return text;
  }

  fs::path root_;
};

TEST_F(secret_file, line_break_at_the_end_is_no_part_of_the_secret) {
  write("etc/plain", "hunter2");
  write("etc/unix", "hunter2\n");
  write("etc/dos", "hunter2\r\n", 0600);
  write("etc/spaces", " a b \n");
  for (const char* name : {"plain", "unix", "dos"}) {
    EXPECT_EQ(read_secret_file(name, places()).reveal(), "hunter2") << name;
  }
  EXPECT_EQ(read_secret_file("spaces", places()).reveal(), " a b ");
}

TEST_F(secret_file, relative_name_is_a_credential_first_then_beside_the_configuration) {
  write("etc/both", "from-etc");
  write("cred/both", "from-cred");
  write("etc/one", "from-etc");
  const auto absolute = write("absolute", "from-absolute");
  EXPECT_EQ(read_secret_file("both", places(true)).reveal(), "from-cred");
  EXPECT_EQ(read_secret_file("both", places(false)).reveal(), "from-etc");
  EXPECT_EQ(read_secret_file("one", places(true)).reveal(), "from-etc");
  EXPECT_EQ(read_secret_file(absolute, places(true)).reveal(), "from-absolute");
}

TEST_F(secret_file, content_that_is_no_secret_is_refused) {
  write("etc/empty", "");
  write("etc/newline", "\n");
  write("etc/lines", "hunter2\nhunter3\n");
  write("etc/nul", std::string_view{"hunter2\0x", 9});
  write("etc/limit", std::string(65536, 'x'));
  write("etc/large", std::string(65537, 'x'));
  fs::create_directory(root_ / "etc/folder");
  ASSERT_EQ(::mkfifo((root_ / "etc/fifo").c_str(), 0400), 0);
  EXPECT_EQ(refusal("empty"), "~/etc/empty is empty");
  EXPECT_EQ(refusal("newline"), "~/etc/newline is empty");
  EXPECT_EQ(refusal("lines"),
            "~/etc/lines holds more than one line / put the secret alone into it, on one line");
  EXPECT_EQ(refusal("nul"),
            "~/etc/nul holds a NUL byte / write it anew, as plain text without a mark");
  EXPECT_EQ(refusal("limit"), "taken");
  EXPECT_EQ(refusal("large"),
            "~/etc/large is over 64 KiB / name a file that holds the secret and nothing else");
  EXPECT_EQ(refusal("folder"),
            "~/etc/folder is a directory / name a file that holds the secret and nothing else");
  EXPECT_EQ(
      refusal("fifo"),
      "~/etc/fifo is not a regular file / name a file that holds the secret and nothing else");
}

TEST_F(secret_file, file_that_is_not_there_is_named_with_every_place) {
  EXPECT_EQ(refusal("client_secret"),
            "cannot open ~/etc/client_secret: No such file or directory / put the secret alone "
            "into it and chmod 0400 ~/etc/client_secret");
  EXPECT_EQ(refusal("client_secret", true),
            "cannot open client_secret: it is neither in the credentials directory ~/cred nor in "
            "~/etc / put the secret alone into it and chmod 0400 ~/etc/client_secret");
  const std::string gone = (root_ / "etc/S3.cret").string();
  EXPECT_EQ(refusal(gone, true),
            "cannot open ~/etc/S3.cret: No such file or directory / put the secret alone into it "
            "and chmod 0400 ~/etc/S3.cret");
}

TEST_F(secret_file, a_secret_that_was_typed_where_its_file_belongs_is_not_repeated) {
  const std::vector<std::string> typed{"hunter2",
                                       "S3cret",
                                       "x9/Zk+Lw==",
                                       "/Zk+Lw==",
                                       "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
                                       "correct horse battery staple",
                                       std::string(300, 'k')};
  for (const std::string& secret : typed) {
    for (const bool service : {false, true}) {
      const std::string said = refusal(secret, service);
      EXPECT_EQ(said.find(secret), std::string::npos) << said;
      EXPECT_NE(said.find("the name is not repeated here"), std::string::npos) << said;
      EXPECT_NE(said.find("give its absolute path here"), std::string::npos) << said;
    }
  }
}

TEST_F(secret_file, a_word_of_the_command_line_is_repeated_where_it_can_be_no_secret) {
  write("etc/here", "x");
  const std::string etc = (root_ / "etc").string();
  for (const std::string& word : {std::string("17"), etc + "/here", etc + "/gone", etc})
    EXPECT_TRUE(may_be_repeated(word)) << word;
  for (const std::string& word : {std::string(), std::string("token"), std::string("a/b"),
                                  std::string("/Zk"), std::string(21, '1'), "x" + etc + "/gone"})
    EXPECT_FALSE(may_be_repeated(word)) << word;
}

TEST_F(secret_file, empty_credential_is_systemds_word_for_a_missing_file) {
  write("cred/no-key", "\n", 0440);
  write("cred/below", "\n", 0440);
  write("etc/below", "from-etc");
  EXPECT_EQ(refusal("no-key", true),
            "cannot open no-key: it is neither in the credentials directory ~/cred nor in ~/etc / "
            "put the secret alone into it and chmod 0400 ~/etc/no-key");
  EXPECT_EQ(read_secret_file("below", places(true)).reveal(), "from-etc");
}

TEST_F(secret_file, open_to_others_is_refused) {
  for (const mode_t mode : {0440U, 0404U, 0640U, 0644U, 0460U, 0602U}) {
    write("etc/open", "hunter2", mode);
    char text[8];
    std::snprintf(text, sizeof text, "%04o", mode);
    EXPECT_EQ(refusal("open"), "~/etc/open has mode " + std::string{text} +
                                   ": others than its owner can reach it / chmod 0400 ~/etc/open");
    fs::remove(root_ / "etc/open");
  }
}

TEST_F(secret_file, credential_may_show_its_acl_as_group_bit_and_no_more) {
  write("cred/acl", "hunter2", 0440);
  EXPECT_EQ(refusal("acl", true), "taken");
  EXPECT_EQ(refusal((root_ / "cred/acl").string(), true), "taken");
  // The folder's name in front does not make a file outside it a credential.
  write("etc/outside", "hunter2", 0440);
  EXPECT_EQ(refusal("../etc/outside", true),
            "~/cred/../etc/outside has mode 0440: others than its owner can reach it / chmod 0400 "
            "~/cred/../etc/outside");
  fs::remove(root_ / "cred/acl");
  write("cred/acl", "hunter2", 0444);
  EXPECT_EQ(refusal("acl", true),
            "~/cred/acl has mode 0444: others than its owner can reach it / chmod 0400 ~/cred/acl");
}

TEST_F(secret_file, all_files_are_told_at_the_places_of_their_keys) {
  write("etc/password", "hunter2", 0644);
  const loaded l = load_text(
      "flanks:\n"
      "  client_id: id\n"
      "  client_secret_file: client_secret\n"
      "  ca_file: ca.pem\n"
      "database:\n"
      "  dsn: dbname=x\n"
      "  password_file: password\n",
      root_ / "etc/c.yaml", [](std::string_view) { return std::nullopt; });
  ASSERT_TRUE(l.ok());
  const environment none = [](std::string_view) { return std::nullopt; };
  std::string all;
  for (const mistake& m : read_secrets(l, none, secret_scope::all).mistakes) {
    all += shortened(to_string(m)) + "\n";
  }
  EXPECT_EQ(
      all,
      "~/etc/c.yaml:3:23: flanks.client_secret_file: cannot open ~/etc/client_secret: No such "
      "file or directory\n"
      "  hint: put the secret alone into it and chmod 0400 ~/etc/client_secret\n"
      "~/etc/c.yaml:4:12: flanks.ca_file: cannot open ~/etc/ca.pem: No such file or "
      "directory\n"
      "  hint: name a PEM file with the certificates to trust, or remove the key to trust "
      "the system's\n"
      "~/etc/c.yaml:7:18: database.password_file: ~/etc/password has mode 0644: others than "
      "its owner can reach it\n"
      "  hint: chmod 0400 ~/etc/password\n");
  EXPECT_EQ(read_secrets(l, none, secret_scope::database).mistakes.size(), 1U);
}

TEST_F(secret_file, secrets_are_read_from_the_credentials_directory_of_the_environment) {
  write("cred/client_secret", "s1\n", 0440);
  write("cred/flanks_password", "s2\n", 0440);
  write("etc/database_password", "s3\n");
  const loaded l = load_text(
      "flanks: {client_id: id, client_secret_file: client_secret, grant_type: password,\n"
      "  username: u, password_file: flanks_password}\n"
      "database: {dsn: dbname=x, password_file: database_password}\n",
      root_ / "etc/c.yaml", [](std::string_view) { return std::nullopt; });
  ASSERT_TRUE(l.ok());
  const opened o = read_secrets(
      l,
      [this](std::string_view name) -> std::optional<std::string> {
        if (name != "CREDENTIALS_DIRECTORY") return std::nullopt;
        return (root_ / "cred").string();
      },
      secret_scope::all);
  ASSERT_TRUE(o.ok());
  EXPECT_EQ(o.values.client_secret.reveal(), "s1");
  EXPECT_EQ(o.values.password.reveal(), "s2");
  EXPECT_EQ(o.values.database_password.reveal(), "s3");
}

TEST_F(secret_file, encryption_keys_are_read_from_text_and_from_credentials) {
  const loaded l = load_text(
      "flanks: {client_id: id, client_secret_file: client_secret}\n"
      "database: {dsn: dbname=x}\n"
      "encryption: {key_file: new_key, previous_key_file: old_key}\n",
      root_ / "etc/c.yaml", [](std::string_view) { return std::nullopt; });
  ASSERT_TRUE(l.ok());
  const environment credentials = [this](std::string_view name) -> std::optional<std::string> {
    if (name != "CREDENTIALS_DIRECTORY") return std::nullopt;
    return (root_ / "cred").string();
  };
  write("etc/client_secret", "s1\n");
  write("cred/new_key", std::string(64, '0') + "\n", 0440);
  write("cred/old_key", "\n", 0440);  // as our units leave one that is not there
  write("etc/old_key", std::string(31, '\x01') + "\n");
  const opened good = read_secrets(l, credentials, secret_scope::all);
  ASSERT_TRUE(good.ok()) << to_string(good.mistakes.at(0));
  EXPECT_EQ(good.values.encryption_key.reveal(), std::string(32, '\0'));
  EXPECT_EQ(good.values.previous_key.reveal(), std::string(31, '\x01') + "\n") << "raw bytes";
  EXPECT_TRUE(read_secrets(l, credentials, secret_scope::database).values.encryption_key.empty());
  fs::remove(root_ / "etc/old_key");
  write("etc/old_key", "hunter2\n");
  const opened bad = read_secrets(l, credentials, secret_scope::all);
  ASSERT_EQ(bad.mistakes.size(), 1U);
  EXPECT_EQ(shortened(to_string(bad.mistakes[0])),
            "~/etc/c.yaml:3:52: encryption.previous_key_file: ~/etc/old_key holds no key of 32 "
            "bytes, as base64, hexadecimal or raw bytes\n"
            "  hint: openssl rand -base64 32 makes one for ~/etc/old_key");
}

}  // namespace
