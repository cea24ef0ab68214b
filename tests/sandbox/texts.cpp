#include "tests/sandbox/texts.hpp"

#include <initializer_list>
#include <vector>

namespace sandbox {
namespace {

std::vector<text> spelled(std::initializer_list<std::string_view> raws) {
  std::vector<text> out;
  for (const auto raw : raws)
    out.push_back({std::string(raw), escaped(raw)});
  return out;
}

// Every odd text twice: in UTF-8, and in pure ASCII with \uXXXX escapes.
std::vector<text> both_spellings(std::initializer_list<std::string_view> raws) {
  std::vector<text> out = spelled(raws);
  for (const auto raw : raws)
    out.push_back({std::string(raw), escaped_ascii(raw)});
  out.push_back({"barra / escapada", "barra \\/ escapada"});
  return out;
}

}  // namespace

std::span<const text> plain_descriptions() {
  static const auto all = spelled({
      "TRANSFERENCIA A FAVOR DE LUISA EJEMPLO",
      "TRANSFERENCIA RECIBIDA",
      "NÓMINA",
      "RECIBO LUZ ENERGÍA EJEMPLO S.A.",
      "COMPRA TARJETA SUPERMERCADO",
      "BIZUM ENVIADO",
      "BIZUM RECIBIDO",
      "CUOTA PRÉSTAMO HIPOTECARIO",
      "COMISIÓN MANTENIMIENTO",
      "CAJERO REINTEGRO",
      "RECIBO AGUAS DEL NORTE",
      "RECIBO COMUNIDAD PROPIETARIOS C/ ALCALÁ",
      "ABONO INTERESES",
      "COMPRA VALORES",
      "VENTA VALORES",
      "DIVIDENDO",
      "SUSCRIPCIÓN FONDO",
      "IMPUESTO CIRCULACIÓN",
      "PENSIÓN SEGURIDAD SOCIAL",
      "DEVOLUCIÓN COMPRA",
      "SEGURO HOGAR",
      "MATRÍCULA COLEGIO PEÑALARA",
  });
  return all;
}

std::span<const text> odd_descriptions() {
  static const auto all = both_spellings({
      "COMPRA \"EL RINCÓN\" 'MADRID'",
      "RUTA C:\\TEMP\\NUEVO",
      "\\N",
      "\\.",
      "LÍNEA UNO\nLÍNEA DOS",
      "COLUMNA\tOTRA\tMÁS",
      "RETORNO\r\nCON SALTO",
      "CAFÉ ☕ Y PASTEL 🍰",
      "FAMILIA 👨‍👩‍👧‍👦 🇪🇸",
      "",
      " ",
      "   ESPACIOS A LOS LADOS   ",
      "'); DROP TABLE transactions; --",
      "e\xCC\x81"
      "N COMBINADO",
      "LÍNEA\xE2\x80\xA8SEPARADA",
      "\xD8\xA7\xD9\x84\xD8\xB9\xD8\xB1\xD8\xA8\xD9\x8A\xD8\xA9",
      "日本語の取引",
      "CONTROL \x01\x1F\x7F FIN",
      "{\"json\": [1, 2]}",
      "NULL",
      "null",
      "a,b;c|d",
      "\\u0041 NO ES A",
      "\\\\",
      "100% {} %s $1 ?",
      "ÑANDÚ ÀÈÌÒÙ ÄËÏÖÜ ÇÇ €",
  });
  return all;
}

std::span<const text> categories() {
  static const auto all = spelled({"Transfers", "Salary", "Groceries", "Utilities", "Leisure",
                                   "Housing", "Taxes", "Fees", "Investments", "Otros gastos"});
  return all;
}

std::span<const text> shops() {
  static const auto all =
      spelled({"Supermercado Peña", "Café Central", "Librería «Ñ»", "Gasolinera A-6",
               "Farmacia Sánchez", "Tienda \"Online\" & Co."});
  return all;
}

std::span<const text> product_descriptions() {
  static const auto all = spelled({"Cuenta nómina", "Cuenta corriente", "Tarjeta débito",
                                   "Tarjeta crédito", "Fondo de inversión", "Cartera de valores",
                                   "Préstamo hipotecario", "Préstamo personal"});
  return all;
}

std::span<const text> people() {
  static const auto all = spelled({"Ana Ejemplo", "Luisa Ejemplo", "José Núñez Ejemplo",
                                   "María Ángeles Prueba", "Íñigo Muestra", "Begoña Güell"});
  return all;
}

}  // namespace sandbox
